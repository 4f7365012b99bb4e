/*
 * Sequence numbers of a secure channel under loss, repetition, replay and power cuts of both sides:
 * no number is sealed twice by the client, none is executed or answered twice by the device.
 *
 * Each side keeps `last` in working memory and `stored`, ahead of it, in non-volatile memory, which
 * it writes when `last` comes near `stored` (osgp.security.sequence, ForwardNumber).  The client
 * writes before it sends, the device before it executes; a power cut takes `stored` for `last`.
 */
#define TOP 10
#ifndef RESERVE
#define RESERVE 2
#endif
#define AHEAD 1
#ifndef CUTS
#define CUTS 2
#endif

chan request = [1] of { byte };
chan refusal = [1] of { byte };

byte c_last = 0, c_stored = RESERVE, d_last = 0, d_stored = RESERVE;
byte cuts = CUTS;
byte witness;                   /* any one number, chosen at the start, stands for all */
bool sealed = false, executed = false;

#define NEAR(last, stored) ((last) + AHEAD > (stored))

proctype client() {
    byte last;
    do
    :: atomic { c_last < TOP ->                       /* a new request */
        c_last++;
        if :: NEAR(c_last, c_stored) -> c_stored = c_last + RESERVE :: else fi;
        if :: c_last == witness -> assert(!sealed); sealed = true :: else fi;
        if :: nfull(request) -> request ! c_last :: full(request) fi }
    :: atomic { nfull(request) && sealed -> request ! witness }      /* repetition or replay */
    :: atomic { refusal ? last ->                       /* SequenceError: only ever forward */
        if
        :: last > c_last -> c_last = last;
            if :: NEAR(c_last, c_stored) -> c_stored = c_last + RESERVE :: else fi
        :: else
        fi }
    :: atomic { cuts > 0 && c_stored < TOP -> cuts--; c_last = c_stored; c_stored = c_last + RESERVE }
    :: c_last >= TOP -> break
    od
}

proctype device() {
    byte number;
    do
    :: atomic { request ? number ->
        if
        :: number > d_last ->
            d_last = number;
            if :: NEAR(d_last, d_stored) -> d_stored = d_last + RESERVE :: else fi;
            if :: number == witness -> assert(!executed); executed = true :: else fi
        :: else -> if :: nfull(refusal) -> refusal ! d_last :: full(refusal) fi
        fi }
    :: atomic { nempty(request) -> request ? _ }      /* loss */
    :: atomic { cuts > 0 && d_stored < TOP -> cuts--; d_last = d_stored; d_stored = d_last + RESERVE }
    :: c_last >= TOP && empty(request) -> break
    od
}

init { atomic { select(witness : 1 .. TOP); run client(); run device() } }
