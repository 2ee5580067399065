/* An approval against a newer plan.
 *
 * A plan waits. Two approvers and the one who asked read it and answer when they
 * like, so an answer may meet a plan that came later, or a network that changed.
 * Two approvals are needed. A waiting operation may expire or be cancelled, and the
 * next one may be proposed, at any time. What a plan does is stood for by the state
 * of the network that it was made from.
 *
 * Safety: what begins was read and approved, as that very operation with that very
 * plan, by two people who did not ask for it; and it is what would be done now.
 *
 * Parts that a switch takes away:
 *   UNNAMED  an approval names no operation and no plan   CARRY  a new proposal keeps the approvals of the old one
 *   PLANONLY an approval names the plan, not the operation
 *   NOLOOK   begun without a second look                  SELF   the one who asked may approve
 *   TWICE    one person counts twice                      REACH  not a part: shows that a plan begins
 */
#define NET 2      /* states of the network */
#define OPS 2      /* operations proposed */
byte net;                       /* the network now */
byte op; byte plan; bit waits;  /* the operation in the record: its number and its plan */
bit by[3];                      /* who approved it, by the record */
byte votes;
byte ops;
/* answers on their way: what they name, and what the person really read */
bit on[3]; byte nop[3]; byte nplan[3];
/* what each person has approved in truth: a set of operations by number */
byte truth[3];
byte began;

/* 0 is the one who asked; 1 and 2 are approvers */
proctype Person(byte me) {
  byte o; byte p;
  do
  :: atomic { waits && !on[me] -> o = op; p = plan }
     atomic { on[me] = 1; nop[me] = o; nplan[me] = p; truth[me] = truth[me] | (1 << o); o = 0; p = 0 }
  od
}

#ifdef UNNAMED
#define NAMES(i) true
#else
#ifdef PLANONLY
#define NAMES(i) (nplan[i] == plan)
#else
#define NAMES(i) (nop[i] == op && nplan[i] == plan)
#endif
#endif
#ifdef SELF
#define OTHER(i) true
#else
#define OTHER(i) (i != 0)
#endif
#ifdef TWICE
#define FRESH(i) true
#else
#define FRESH(i) (!by[i])
#endif
#define READ(i) ((truth[i] >> op) & 1)

inline clear() {
  waits = 0;
#ifndef CARRY
  by[0] = 0; by[1] = 0; by[2] = 0; votes = 0
#endif
}
inline begin() {                /* enough approvals: everything is looked at again */
  if
#ifndef NOLOOK
  :: net != plan -> skip        /* refused, proposed anew */
  :: else ->
#else
  :: true ->
#endif
     began++;
     assert(plan == net);
     assert(READ(1) && READ(2))
  fi;
  clear(); by[0] = 0; by[1] = 0; by[2] = 0; votes = 0
}
inline approve(i) {
  atomic { on[i] ->
    if
    :: waits && NAMES(i) && OTHER(i) && FRESH(i) ->
         by[i] = 1; votes++;
         if :: votes >= 2 -> begin() :: else fi
    :: else -> skip             /* refused, with the reason */
    fi;
    on[i] = 0; nop[i] = 0; nplan[i] = 0
  }
}
proctype Controller() {
  do
  :: atomic { !waits && ops < OPS -> ops++; op = ops; plan = net; waits = 1 }
  :: atomic { waits -> clear() }            /* expired, or cancelled */
  :: approve(0) :: approve(1) :: approve(2)
  od
}
proctype Network() { do :: atomic { net < NET-1 -> net++ } :: atomic { net > 0 -> net-- } od }
#ifdef REACH
proctype Witness() { atomic { began == 2 -> assert(false) } }
#endif
init { atomic { run Person(0); run Person(1); run Person(2); run Controller(); run Network();
#ifdef REACH
  run Witness();
#endif
} }
