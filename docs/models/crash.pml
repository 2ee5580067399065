/* A crash anywhere between intent, send, outcome and read back.
 *
 * One controller whose steps are stored one by one. It may die at every point
 * marked DIE and begins again with what is stored. Azure loses some requests and some
 * answers, and lands the others at any time. Health flips, then stops.
 *
 * Safety:   a write leaves only with its intent stored; a step is done only when the
 *           weight stands; no landing brings a weight that no decision asked for.
 * Liveness: in the end traffic is on a healthy circuit and stays there, if one is.
 *
 * Parts that a switch takes away:
 *   LATEINTENT  the intent is stored after the send
 *   NOREAD      a step is done when its answer came, or was lost
 *   NORESEND    what was begun before a crash is not sent again
 *   RELATIVE    a write adds to the weight, it does not set it
 *   NOREPAIR    the end of an operation is not followed by another look
 *   REACH       not a part: shows that the end is reached
 */
#define BASE 2
#ifndef FLIPS
#define FLIPS 3
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define LOSSES 2
#define NONE 0
#define WAITING 1
#define INTENT 2
#define CHECK 3

byte w[2]; bit healthy[2];
byte flips; byte crashes; byte losses;
byte epoch; bit tgt; byte phase;         /* the record */
bit over;                                /* NOREPAIR */
byte want[2];                            /* the highest weight that a decision asked for */
bit wrote;                               /* the running operation sent something */
bit st[2]; bit con[2]; byte wt[2]; byte ep[2];

#define TO (BASE + epoch)
#define ROOM (!st[0] || !st[1])
#define OLD(i) (st[i] && ep[i] < epoch)
#define RIVAL(i,t) (st[i] && con[i] != t && wt[i] >= w[t])
#define TOP(t) (w[t] > w[1-t])
#define STANDS(t) (TOP(t) && !RIVAL(0,t) && !RIVAL(1,t))
#define WANTS(t) (healthy[t] && (t == 0 || !healthy[0]) && !STANDS(t))
#define FREE(t) (phase == NONE || (!healthy[tgt] && tgt != t))   /* nothing runs, or its own target is dead */
#define DIE if :: crashes < CRASHES -> atomic { crashes++; goto restart } :: skip fi

inline put(i) { st[i] = 1; con[i] = tgt; wt[i] = TO; ep[i] = epoch }
inline send() {
  atomic {
    assert(phase == INTENT);
    wrote = 1;
    if :: !st[0] -> put(0) :: st[0] && !st[1] -> put(1) :: else fi
  }
}
inline decide(t) {
  epoch++; tgt = t; phase = WAITING; want[t] = TO; wrote = 0
}

proctype Controller() {
restart:
  do
  :: atomic { WANTS(0) && FREE(0) && !OLD(0) && !OLD(1) && !over -> decide(0) }
  :: atomic { WANTS(1) && FREE(1) && !OLD(0) && !OLD(1) && !over -> decide(1) }
#ifdef LATEINTENT
  :: phase == WAITING && ROOM -> send(); DIE; phase = INTENT; DIE; phase = CHECK
#else
  :: phase == WAITING && ROOM -> phase = INTENT; DIE; send(); DIE; phase = CHECK     /* an answer, or none */
#endif
#ifdef NOREAD
  :: phase == CHECK -> atomic { assert(wrote && w[tgt] == TO); phase = NONE }
#else
  :: atomic { phase >= INTENT && w[tgt] == TO -> assert(wrote); phase = NONE;
#ifdef NOREPAIR
       over = 1
#endif
     }
#endif
#ifndef NORESEND
  :: atomic { phase >= INTENT && w[tgt] != TO && ROOM -> phase = WAITING }
#endif
  :: else -> skip               /* the next beat */
  od
}

inline land(i) {
  atomic { st[i] ->
#ifdef RELATIVE
    w[con[i]] = w[con[i]] + 1;
#else
    w[con[i]] = wt[i];
#endif
    assert(w[con[i]] <= want[con[i]]);
    assert(phase != NONE || ep[i] < epoch || w[con[i]] == want[con[i]]);
    st[i] = 0; con[i] = 0; wt[i] = 0; ep[i] = 0
  }
}
inline lose(i) { atomic { st[i] && losses < LOSSES -> losses++; st[i] = 0; con[i] = 0; wt[i] = 0; ep[i] = 0 } }
proctype Azure() { do :: land(0) :: land(1) :: lose(0) :: lose(1) od }

proctype Health() {
  do
  :: atomic { flips < FLIPS -> flips++; healthy[0] = !healthy[0] }
  :: atomic { flips < FLIPS -> flips++; healthy[1] = !healthy[1] }
  :: break
  od
}
#ifdef REACH
proctype Witness() { atomic { epoch >= 2 && crashes == CRASHES && losses == LOSSES && phase == NONE && !st[0] && !st[1] && TOP(0) -> assert(false) } }
#endif

init { atomic { w[0] = 2; w[1] = 1; want[0] = 2; want[1] = 1; healthy[0] = 1; healthy[1] = 1;
  run Controller(); run Azure(); run Health();
#ifdef REACH
  run Witness();
#endif
} }
#define WELL ((healthy[0] && TOP(0)) || (healthy[1] && TOP(1)) || (!healthy[0] && !healthy[1]))
#ifndef REACH
ltl live { <>[] WELL }
#endif
