/* A pause and the kill switch against a plan in flight.
 *
 * One controller, or two with TWO (safety only). The kill switch is in the estate's
 * document, everything else in the group's, which is saved by compare-and-swap. Who
 * sets the switch writes the estate, then touches the group, and only then is told
 * that it is done. A pause is one save of the group. A controller loads the estate,
 * then the group, reads the switch again before each save of an intent, and may be
 * held up between any two of these.
 *
 * Safety:   no intent is stored once the kill was answered; every write that leaves
 *           has a stored intent; no decision is made once a pause was answered; while
 *           the switch is set, what was sent is followed to its end and not forgotten.
 * Liveness: if the switch and the pause are lifted in the end, the plan is carried
 *           out; if they are not, what is in flight is still read back.
 *
 * Parts that a switch takes away:
 *   NOTOUCH  the kill is stored in the estate alone   NOLOOK  the switch is read once, when the call begins
 *   DROPS    a kill ends the operation and forgets    APART   a pause is stored beside the group's document
 *   BLINDED  a kill stops the read back too           REACH   not a part: shows kill, lift and the end
 */
#ifndef MAXE
#define MAXE 1
#endif
byte epoch; byte phase;                 /* the group's document; 0 none, 1 waiting, 2 intent stored */
bit paused; bit killed;                 /* the group's, and the estate's */
bit pausedTold; bit killedTold;         /* the person was answered */
bit stale[2];
byte flight; byte flightEp;             /* 0 none, 1 may be sent, 2 sent */
byte landed;
bit lost; bit kills; bit pauses;
bit calm;                               /* nobody touches pause or switch any more */

inline saved(me) { stale[1-me] = 1 }

proctype Controller(bit me) {
  bit k; bit p;
  do
  :: k = killed;                        /* the estate, when the call begins */
     atomic { stale[me] = 0; p = paused }
     if
     :: phase == 0 && !k && !p && epoch < MAXE ->
          atomic { if
          :: !stale[me] && phase == 0 && epoch < MAXE ->
               assert(!pausedTold);
               assert(flight == 0);     /* nothing was forgotten */
               epoch++; phase = 1; saved(me)
          :: else -> skip
          fi }
     :: phase == 1 && flight == 0 ->
#ifndef NOLOOK
          k = killed;
#endif
          if
          :: !k -> atomic { if
             :: !stale[me] && phase == 1 && flight == 0 ->
                  assert(!killedTold);
                  phase = 2; flight = 1; flightEp = epoch; saved(me)
             :: else -> skip
             fi }
          :: else -> skip
          fi
#ifdef DROPS
     :: k && phase != 0 -> atomic { if :: !stale[me] -> phase = 0; saved(me) :: else -> skip fi }
#endif
#ifdef BLINDED
     :: phase == 2 && !k -> atomic { if
#else
     :: phase == 2 -> atomic { if       /* followed to its end, killed or not */
#endif
        :: !stale[me] && phase == 2 && landed == epoch -> phase = 0; saved(me)
        :: !stale[me] && phase == 2 && flight == 0 && landed != epoch -> phase = 1; saved(me)
        :: else -> skip
        fi }
     :: else -> skip
     fi;
     atomic { k = 0; p = 0; stale[me] = 1 }
  od
}

/* what was stored is sent by whoever stored it, and lands */
proctype Azure() {
  do
  :: atomic { flight == 1 -> assert(phase == 2 && flightEp == epoch); flight = 2 }
  :: atomic { flight == 2 -> landed = flightEp; flight = 0; flightEp = 0 }
  :: atomic { flight == 2 && !lost -> lost = 1; flight = 0; flightEp = 0 }
  od
}

inline touch() { atomic { stale[0] = 1; stale[1] = 1 } }
proctype Operator() {
  do
  :: !killed && !kills -> killed = 1; kills = 1;
#ifndef NOTOUCH
     touch();
#endif
     killedTold = 1
  :: atomic { killed -> killedTold = 0; killed = 0 }
#ifdef APART
  :: !paused && !pauses -> atomic { paused = 1; pauses = 1 };
#else
  :: !paused && !pauses -> atomic { paused = 1; pauses = 1; stale[0] = 1; stale[1] = 1 };
#endif
     pausedTold = 1
  :: atomic { paused -> pausedTold = 0; paused = 0; stale[0] = 1; stale[1] = 1 }
  :: atomic { calm = 1; break }
  od
}
#ifdef REACH
proctype Witness() { atomic { calm && kills && pauses && landed == MAXE && phase == 0 -> assert(false) } }
#endif
init { atomic { stale[0] = 1; stale[1] = 1; run Controller(0); run Azure();
#ifdef TWO
  run Controller(1);
#endif
  run Operator();
#ifdef REACH
  run Witness();
#endif
} }
#if !defined(REACH) && !defined(TWO)
ltl goes { <>[] (phase != 2 && (killed || phase == 0) && (killed || paused || landed == MAXE)) }
#endif
