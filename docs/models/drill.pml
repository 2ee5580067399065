/* A drill against an incident.
 *
 * The calendar orders a drill with a deadline, may die, and is never needed again:
 * the deadline is in the group's document. The controller moves traffic off home,
 * and takes it home when the deadline has passed and home is healthy. Real trouble
 * overtakes the drill. Writes land late, in any order, or never.
 *
 * Safety:   no drill begins while a circuit is bad; nothing is sent for a target
 *           that is known to be bad; an overtaken drill sends nothing more; once a
 *           decision is fulfilled no late write takes traffic off its target.
 * Liveness: if home is healthy in the end, every drill ends and traffic is at home.
 *           With ENDLESS, where no deadline ever comes: traffic is on a healthy
 *           circuit in the end, if one is.
 *
 * Parts that a switch takes away:
 *   CALENDAR  the way home is the calendar's to order   HELD     a drill holds an incident's decision off
 *   RESEND    an overtaken drill goes on writing        BYREAD   a weight one above what was read, without the epoch
 *   BLINDLY   a drill begins whatever the health        STUBBORN a running decision is carried out though its target died
 *   REACH     not a part: shows a drill that was overtaken and one that went home
 */
#define BASE 2
#ifndef FLIPS
#define FLIPS 3
#endif
#ifndef DRILLS
#define DRILLS 2
#endif
#define LOSSES 1
#define DRILL 1
#define FAILOVER 2
#define FAILBACK 3

byte w[2]; bit healthy[2]; byte flips; byte losses; byte drills;
bit ordered; bit home;                  /* orders on their way */
bit drill; bit over;                    /* the group's document: a drill runs, its deadline has passed */
byte epoch; bit tgt; byte kind; bit running; byte to;
bit wished;                             /* the write of the last decision has landed */
bit overtaken; bit tried;               /* a drill was overtaken; its last write is sent again (RESEND) */
bit st[2]; bit con[2]; byte wt[2]; byte ep[2];

#define TOP(t) (w[t] > w[1-t])
#define OLD(i) (st[i] && ep[i] < epoch)
#define READY (!OLD(0) && !OLD(1))
#define ROOM (!st[0] || !st[1])
#ifdef BYREAD
#define WEIGHT (w[0] > w[1] -> w[0] + 1 : w[1] + 1)
#else
#define WEIGHT (BASE + epoch)
#endif
#ifdef STUBBORN
#define DEAD(t) false
#else
#define DEAD(t) (running && tgt == t)   /* what runs has a dead target */
#endif
#define LEAVE(t) (TOP(t) && (!running || !healthy[tgt]))
#ifdef HELD
#define MAYMOVE (!drill)
#else
#define MAYMOVE true
#endif
#ifdef STUBBORN
#define AGAIN true
#else
#define AGAIN healthy[tgt]
#endif
#ifdef BLINDLY
#define FIT true
#else
#define FIT (healthy[0] && healthy[1])
#endif

#ifdef REACH
bit wentover; bit wenthome;
#define OVERTAKES wentover = (wentover || drill)
#define HOMECOMING wenthome = (wenthome || drill)
#else
#define OVERTAKES skip
#define HOMECOMING skip
#endif

inline put(i) { st[i] = 1; con[i] = tgt; wt[i] = to; ep[i] = epoch }
inline send() { assert(healthy[tgt]); if :: !st[0] -> put(0) :: else -> put(1) fi }
inline decide(k, t) { epoch++; kind = k; tgt = t; to = WEIGHT; running = 1; wished = 0; send() }

proctype Calendar() {
  do
  :: atomic { drills < DRILLS && !ordered && !drill -> drills++; ordered = 1 }
#ifdef CALENDAR
  :: atomic { drill && over && !home -> home = 1 }
#endif
  :: break                      /* it dies */
  od
}
#ifndef ENDLESS
proctype Deadline() { do :: atomic { drill && !over -> over = 1 } od }
#endif

proctype Controller() {
  do
  :: atomic { ordered && !running && !drill && READY && ROOM ->
       ordered = 0;
       if
       :: FIT && TOP(0) -> assert(healthy[0] && healthy[1]); drill = 1; over = 0; overtaken = 0; decide(DRILL, 1)
       :: else -> skip          /* refused */
       fi }
  :: atomic { MAYMOVE && READY && ROOM && healthy[1] && !healthy[0] && (LEAVE(0) || DEAD(0)) ->
       overtaken = drill; OVERTAKES; drill = 0; over = 0; home = 0; decide(FAILOVER, 1) }
  :: atomic { MAYMOVE && READY && ROOM && healthy[0] && !healthy[1] && (LEAVE(1) || DEAD(1)) ->
       overtaken = drill; OVERTAKES; drill = 0; over = 0; home = 0; decide(FAILOVER, 0) }
  :: atomic { drill && !running && TOP(1) && !healthy[0] -> /* home went down: an incident, with its own way home */
       OVERTAKES; drill = 0; over = 0; home = 0 }
#ifdef CALENDAR
  :: atomic { home && !running && TOP(1) && healthy[0] && READY && ROOM -> home = 0; decide(FAILBACK, 0) }
  :: atomic { !drill && !running && TOP(1) && healthy[0] && READY && ROOM -> decide(FAILBACK, 0) }
#else
  :: atomic { (!drill || over) && !running && TOP(1) && healthy[0] && READY && ROOM -> decide(FAILBACK, 0) }
#endif
  :: atomic { running && w[tgt] == to -> /* read back: it stands */
       running = 0;
       if :: kind == FAILBACK -> HOMECOMING; drill = 0; over = 0; home = 0 :: else fi }
  :: atomic { running && w[tgt] != to && !st[0] && !st[1] && AGAIN -> send() }   /* lost: sent again */
#ifdef RESEND
  :: atomic { overtaken && !tried && ROOM && kind == FAILOVER ->
       tried = 1; assert(kind == DRILL); send() }
#endif
  :: else -> skip
  od
}

inline land(i) {
  atomic { st[i] ->
    w[con[i]] = wt[i];
    if :: ep[i] == epoch -> wished = 1 :: else fi;
    assert(!wished || w[tgt] > w[1-tgt]);
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
proctype Witness() { atomic { wentover && wenthome -> assert(false) } }
#endif
#define WELL ((healthy[0] && TOP(0)) || (healthy[1] && TOP(1)) || (!healthy[0] && !healthy[1]))
init { atomic { w[0] = 2; w[1] = 1; healthy[0] = 1; healthy[1] = 1;
  run Calendar(); run Controller(); run Azure(); run Health();
#ifndef ENDLESS
  run Deadline();
#endif
#ifdef REACH
  run Witness();
#endif
} }
#ifdef ENDLESS
ltl well { <>[] WELL }
#else
#ifndef REACH
ltl ends { (<>[] healthy[0]) -> (<>[] (!drill && TOP(0))) }
#endif
#endif
