/*
 * Secure broadcast and the renewal of its domain key (osgp.security.broadcast, domain) for one
 * device of the domain, under loss, repetition, replay and power cuts of both sides.
 *
 * The sender keeps its generation, its number and a number reserved ahead of it, which it writes
 * before it sends; a power cut takes the reserved one. The device writes base and generations
 * before it executes, so a power cut of it between two messages changes nothing, and one between
 * writing and executing is a message that is not executed. Cryptography is perfect; key commands
 * come through the channel of the other models, in which nothing is replayed; the sender does one
 * thing at a time, so a command is one step, which may be lost on either way. The device may go
 * into other hands and come back: then it holds nothing of this domain any more.
 *
 * The sender counts on what the device has confirmed since the last handshake, and hands out the
 * present generation first, then the next; a device that it counts on may be told a newer base at
 * any time. A renewal may leave the device behind.
 *
 * Checked: no broadcast is executed twice; a device that the sender counts on holds the generation
 * in use, with the next one beside it if it confirmed that; its base is never ahead of the sender's
 * number; and it refuses no key. So nothing shuts it out.
 */
#ifndef TOP
#define TOP 4
#endif
#define GENERATIONS 3
#define RESERVE 2
#define AHEAD 1
#ifndef CUTS
#define CUTS 2
#endif
#define DELTA 30
#define NEAR(last, stored) ((last) + AHEAD > (stored))

chan air = [1] of { byte, byte };               /* broadcast: generation, number */

byte s_gen = 1, s_last = 0, s_stored = RESERVE, s_next = 0;
byte s_sure = 0;                                /* confirmed since the last handshake; 0: nothing */
byte d_old = 0, d_old_base = 0, d_new = 0, d_new_base = 0;   /* oldest and newest held; 0: none */
bool away = false, was_away = false;            /* in other hands */
byte cuts = CUTS;
byte w_gen, w_num;                              /* any one broadcast, chosen at the start */
bool sent = false, executed = false;

#define HOLDS(g) (d_old == (g) || d_new == (g))
#define BASE(g) (d_new == (g) -> d_new_base : d_old_base)
#define DONE (s_gen == GENERATIONS && s_last >= TOP)

inline check() {
    assert(away || s_sure != s_gen || HOLDS(s_gen));
    assert(away || s_next == 0 || s_sure != s_next || (HOLDS(s_gen) && HOLDS(s_next)));
    assert(!HOLDS(s_gen) || BASE(s_gen) <= s_last)
}

inline execute(g, n) {
    if
    :: g == w_gen && n == w_num -> assert(!executed); executed = true
    :: else
    fi
}

inline write_ahead() {
    if :: NEAR(s_last, s_stored) -> s_stored = s_last + RESERVE :: else fi
}

inline take(g, n) {
    if
    :: g == d_new ->                                              /* held already: only forward */
        if :: n > d_new_base -> d_new_base = n :: else fi;
        if :: d_old == d_new -> d_old_base = d_new_base :: else fi
    :: g == d_old && g != d_new ->
        if :: n > d_old_base -> d_old_base = n :: else fi
    :: g > d_new ->
        if
        :: d_old == 0 -> d_old = g; d_old_base = n
        :: else -> d_old = d_new; d_old_base = d_new_base         /* the one in use is kept */
        fi;
        d_new = g; d_new_base = n
    :: else -> assert(false)                                      /* refused */
    fi
}

inline hand(g, n) {
    if
    :: away -> away = false; s_sure = 0                           /* no such channel: a handshake */
    :: !away -> take(g, n); if :: s_sure = g :: true fi           /* or the answer is lost */
    fi;
    check()
}

proctype sender() {
    do
    :: atomic { s_last < TOP && nfull(air) ->
        s_last++;
        write_ahead();
        if :: s_gen == w_gen && s_last == w_num -> assert(!sent); sent = true :: else fi;
        air ! s_gen, s_last;
        check() }
    :: atomic { s_next == 0 && s_gen < GENERATIONS -> s_next = s_gen + 1 }
    :: atomic { s_sure != s_gen && (s_next == 0 || s_sure != s_next) -> hand(s_gen, s_last) }
    :: atomic { s_sure == s_gen && s_next != 0 -> hand(s_next, 0) }
    :: atomic { s_sure == s_gen && s_next == 0 -> hand(s_gen, s_last) }
    :: atomic { s_sure == s_gen && s_next == 0 -> hand(s_gen, 0) }    /* as it was said before */
    :: atomic { s_next != 0 ->                                    /* all have it, or are left behind */
        s_gen = s_next; s_next = 0; s_last = 0; s_stored = RESERVE;
        check() }
    :: atomic { s_sure != 0 -> s_sure = 0 }                       /* a handshake */
    :: atomic { cuts > 0 && s_stored < TOP ->
        cuts--; s_last = s_stored; s_stored = s_last + RESERVE;
        check() }
    :: DONE -> break
    od
}

proctype device() {
    byte g, n;
    do
    :: atomic { air ? g, n ->
        if
        :: d_new != 0 && g == d_new && n > d_new_base && n <= d_new_base + DELTA ->
            d_new_base = n; d_old = d_new; d_old_base = n;        /* the older one is forgotten */
            if :: cuts > 0 -> cuts-- :: execute(g, n) fi
        :: d_old != 0 && d_old != d_new && g == d_old && n > d_old_base && n <= d_old_base + DELTA ->
            d_old_base = n;
            if :: cuts > 0 -> cuts-- :: execute(g, n) fi
        :: else
        fi;
        g = 0; n = 0;
        check() }
    :: atomic { nempty(air) -> air ? _, _ }                       /* loss */
    :: atomic { !was_away ->
        was_away = true; away = true;
        d_old = 0; d_old_base = 0; d_new = 0; d_new_base = 0 }
    :: atomic { sent && nfull(air) -> air ! w_gen, w_num }        /* replay, at any later time */
    :: DONE -> break
    od
}

init {
    atomic {
        select(w_gen : 1 .. GENERATIONS);
        select(w_num : 1 .. TOP);
        run sender();
        run device()
    }
}
