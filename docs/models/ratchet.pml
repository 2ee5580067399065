/* The ratchet: two controllers, one gateway, two connections, writes that nothing
 * fences. See docs/decisions/0001-ratchet-weights.md and README.md.
 *
 * Connection 0 is home. At rest the weights are 2 and 1. A decision raises its
 * target to BASE + epoch by one write. A write, once its intent is stored, is sent
 * at any later time or never, and lands at any later time, in any order, or never.
 * A controller stops at any instant for any time: an intent that is never sent is a
 * crash, one that is sent late is a pause. Whom a decision moves to is free, so
 * that people's orders and every course of health are covered.
 *
 * An intent stays open in the record until its write can land no more. That is the
 * assumption on time; the model closes it at the earliest instant that the
 * assumption allows.
 *
 * Without a switch this is the rule. Each switch takes one part of it away:
 *   NORULE   decide whatever is open           SENTONLY  an intent counts from its send on
 *   FIXED    100/10 by two writes              LEASE     FIXED, a lease and nothing else
 *   EAGER    settle while raises are open      LOWOPEN   decide while a settle's write is open
 *   NAIVE    "already there" by what was read  FORGET    done by a read back forgets the newest attempt
 *   HOMEFIRST settle lowers home first         REACH     not a part: shows that the end is reached
 */
#ifndef MAXE
#define MAXE 4
#endif
#define BASE 2
#ifdef LEASE
#define FIXED 1
#define NORULE 1
#endif

byte w[2];                      /* what Azure has */
byte epoch; bit tgt;            /* the record: the last decision */
byte landed;                    /* the newest decision whose wish is fulfilled */
bit running; bit lowers;        /* an operation runs; it is a settle or a "break" */
bit stage;                      /* the step of it that is written: 0 or 1 */
bit two; bit scon[2]; byte swt[2];   /* its steps */
bit resent;                     /* the step's write was sent a second time */
bit stale[2];                   /* the record changed since controller i loaded it */
byte lease;

/* writes: 0 none, 1 the intent is stored, 2 sent */
byte st[3]; bit con[3]; byte wt[3]; byte ep[3]; bit low[3]; bit whole[3];
bit older[3];                   /* an earlier attempt of a step that was sent again */
bit fgt[3];                     /* FORGET: its step is done */

#define PREF(t) (w[t] > w[1-t])
#ifdef SENTONLY
#define ALIVE(i) (st[i] == 2)
#else
#define ALIVE(i) (st[i] != 0)
#endif
#ifdef FORGET
#define BESIDE(i,j) (st[j] != 0 && older[j] && ep[j] == ep[i] && con[j] == con[i])
#define DOUBT(i) (BESIDE(i,(i+1)%3) || BESIDE(i,(i+2)%3))
#define OPEN(i) (ALIVE(i) && !(fgt[i] && !DOUBT(i)))
#else
#define OPEN(i) ALIVE(i)
#endif
#ifdef LOWOPEN
#define OLD(i) (OPEN(i) && ep[i] < epoch && !low[i])
#else
#define OLD(i) (OPEN(i) && (ep[i] < epoch || low[i]))
#endif
#ifdef NORULE
#define MAYDECIDE true
#else
#define MAYDECIDE (!OLD(0) && !OLD(1) && !OLD(2))
#endif
#ifdef EAGER
#define MAYSETTLE (!running && MAYDECIDE)
#else
#define MAYSETTLE (!running && MAYDECIDE && !OPEN(0) && !OPEN(1) && !OPEN(2))
#endif
#define ROOM (st[0] == 0 || st[1] == 0 || st[2] == 0)
#ifdef LEASE
#define MINE(i) (lease == i+1)
#else
#define MINE(i) (!stale[i])
#endif
/* RIVAL(i,t): an open write may bring the other connection to v or above */
#define RIVAL(i,t,v) (OPEN(i) && con[i] != t && wt[i] >= v)

inline intent(i) {
  st[i] = 1; con[i] = scon[stage]; wt[i] = swt[stage]; ep[i] = epoch;
  low[i] = lowers; whole[i] = (!lowers && (!two || stage)); older[i] = 0; fgt[i] = 0
}
inline store() {
  if :: st[0] == 0 -> intent(0) :: st[0] != 0 && st[1] == 0 -> intent(1) :: else -> intent(2) fi
}
inline supersede() {            /* what may land is kept, with all its attempts */
#ifdef FORGET
  skip;
  if :: fgt[0] && ep[0] == epoch && DOUBT(0) -> fgt[0] = 0 :: else fi;
  if :: fgt[1] && ep[1] == epoch && DOUBT(1) -> fgt[1] = 0 :: else fi;
  if :: fgt[2] && ep[2] == epoch && DOUBT(2) -> fgt[2] = 0 :: else fi;
#endif
  running = 0; lowers = 0; stage = 0; two = 0; resent = 0;
  scon[0] = 0; scon[1] = 0; swt[0] = 0; swt[1] = 0
}
inline stepdone(i) {
#ifdef FORGET
  if :: st[i] != 0 && ep[i] == epoch && con[i] == scon[stage] && !older[i] -> fgt[i] = 1 :: else fi
#else
  skip
#endif
}
inline again(i) {               /* the earlier attempt stays in doubt */
  if :: st[i] != 0 && ep[i] == epoch && con[i] == scon[stage] -> older[i] = 1 :: else fi
}

inline raise(t) {
  supersede(); epoch++; tgt = t;
#ifdef FIXED
  running = 1; two = 1; scon[0] = t; swt[0] = 3; scon[1] = 1-t; swt[1] = 1; store()
#else
  if
#ifdef NAIVE
  :: a[t] > a[1-t] -> landed = epoch
#else
  :: a[t] > a[1-t] && !RIVAL(0,t,a[t]) && !RIVAL(1,t,a[t]) && !RIVAL(2,t,a[t]) -> landed = epoch
#endif
  :: else -> running = 1; scon[0] = t; swt[0] = BASE + epoch; store()
  fi
#endif
}
inline settle() {
  supersede(); epoch++; tgt = 0; landed = epoch; running = 1; lowers = 1;
#ifdef HOMEFIRST
  two = 1; scon[0] = 0; swt[0] = 2; scon[1] = 1; swt[1] = 1;
#else
  two = 1; scon[0] = 1; swt[0] = 1; scon[1] = 0; swt[1] = 2;
#endif
  store()
}

proctype Controller(bit me) {
  byte a[2];
  do
  :: atomic {                   /* load the record, read the weights */
#ifdef LEASE
       lease == 0 -> lease = me+1;
#endif
       a[0] = w[0]; a[1] = w[1]; stale[me] = 0
     }
     atomic {                   /* one save, by compare-and-swap */
       if
       :: MINE(me) && epoch < MAXE && MAYDECIDE && ROOM ->
            if :: raise(0) :: raise(1) fi; stale[1-me] = 1
#ifndef FIXED
       :: MINE(me) && epoch < MAXE && MAYSETTLE && ROOM && a[0] > a[1] && (a[0] != 2 || a[1] != 1) ->
            settle(); stale[1-me] = 1
#endif
       :: MINE(me) && running && a[scon[stage]] == swt[stage] && (ROOM || !two || stage) ->
            stepdone(0); stepdone(1); stepdone(2); resent = 0;
            if :: two && !stage -> stage = 1; store() :: else -> supersede() fi;
            stale[1-me] = 1
       :: MINE(me) && running && a[scon[stage]] != swt[stage] && !resent && ROOM ->
            again(0); again(1); again(2); resent = 1; store(); stale[1-me] = 1
       :: MINE(me) && running -> supersede(); stale[1-me] = 1       /* it gives up */
       :: true -> skip                                               /* it stops, or the save was lost */
       fi;
       a[0] = 0; a[1] = 0; stale[me] = 1;
#ifdef LEASE
       if :: lease == me+1 -> lease = 0 :: else fi
#endif
     }
  od
}

inline gone(i) { st[i] = 0; con[i] = 0; wt[i] = 0; ep[i] = 0; low[i] = 0; whole[i] = 0; older[i] = 0; fgt[i] = 0 }
inline azure(i) {
  if
  :: atomic { st[i] == 1 -> st[i] = 2 }
  :: atomic { st[i] == 2 ->
       w[con[i]] = wt[i];
       if :: whole[i] && ep[i] > landed -> landed = ep[i] :: else fi;
       gone(i);
       /* once the newest decision is fulfilled, no landing takes traffic off its target */
       assert(landed != epoch || epoch == 0 || PREF(tgt))
     }
  :: atomic { st[i] != 0 -> gone(i) }
  fi
}
proctype Azure() { do :: azure(0) :: azure(1) :: azure(2) od }
#ifdef LEASE
proctype Expiry() { do :: atomic { lease != 0 -> lease = 0 } od }
#endif
#ifdef REACH
proctype Witness() { atomic { epoch == MAXE && lowers && stage && w[0] == 2 && w[1] == 1 -> assert(false) } }
#endif

init { atomic {
  w[0] = 2; w[1] = 1; stale[0] = 1; stale[1] = 1;
  run Controller(0); run Controller(1); run Azure();
#ifdef LEASE
  run Expiry();
#endif
#ifdef REACH
  run Witness();
#endif
} }
