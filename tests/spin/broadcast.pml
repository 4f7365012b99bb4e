/*
 * Secure broadcast and the renewal of its domain key (osgp.security.broadcast, domain) for one
 * device of the domain, under loss, repetition, replay and power cuts of both sides.
 *
 * The sender keeps its generation, its number and a number reserved ahead of it, which it writes
 * before it sends; a power cut takes the reserved one. The device writes base and generations
 * before it executes, so a power cut of it between two messages changes nothing, and one between
 * writing and executing is a message that is not executed. Cryptography is perfect; key commands
 * come through the channel of the other models, in which nothing is replayed.
 *
 * Checked: no broadcast is executed twice; a device that confirmed is never behind a generation it
 * does not hold, and never ahead of the sender's number, so nothing shuts it out.
 */
#define TOP 5
#define GENERATIONS 3
#define RESERVE 2
#define AHEAD 1
#ifndef CUTS
#define CUTS 2
#endif
#define DELTA 30
#define NEAR(last, stored) ((last) + AHEAD > (stored))

chan air = [1] of { byte, byte };               /* broadcast: generation, number */
chan key = [1] of { byte, byte };               /* command: generation, base */
chan done = [1] of { byte };                    /* confirmed generation */

byte s_gen = 1, s_last = 0, s_stored = RESERVE, s_next = 0;
bool s_confirmed = false, joined = false;
byte d_old = 0, d_old_base = 0, d_new = 0, d_new_base = 0;   /* oldest and newest held; 0: none */
byte cuts = CUTS;
byte w_gen, w_num;                              /* any one broadcast, chosen at the start */
bool sent = false, executed = false;

#define HOLDS(g) (d_old == (g) || d_new == (g))
#define BASE(g) (d_new == (g) -> d_new_base : d_old_base)

inline check() {
    assert(!joined || HOLDS(s_gen));
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

proctype sender() {
    byte g;
    do
    :: atomic { s_last < TOP && nfull(air) ->
        s_last++;
        write_ahead();
        if :: s_gen == w_gen && s_last == w_num -> assert(!sent); sent = true :: else fi;
        air ! s_gen, s_last;
        check() }
    :: atomic { s_next == 0 && s_gen < GENERATIONS -> s_next = s_gen + 1; s_confirmed = false }
    :: atomic { nfull(key) && s_next != 0 && !s_confirmed -> key ! s_next, 0 }
    :: atomic { nfull(key) && s_next == 0 && !joined -> key ! s_gen, s_last }
    :: atomic { done ? g ->
        if
        :: s_next != 0 && g == s_next -> s_confirmed = true
        :: else -> if :: g == s_gen -> joined = true :: else fi
        fi;
        check() }
    :: atomic { s_next != 0 && s_confirmed ->                     /* everybody has it */
        s_gen = s_next; s_next = 0; s_last = 0; s_stored = RESERVE; s_confirmed = false;
        joined = true;
        check() }
    :: atomic { cuts > 0 && s_stored < TOP -> cuts--; s_last = s_stored; s_stored = s_last + RESERVE; check() }
    :: s_gen == GENERATIONS && s_last >= TOP -> break
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
        check() }
    :: atomic { nempty(air) -> air ? _, _ }                       /* loss */
    :: atomic { key ? g, n ->
        if
        :: g == d_new -> skip                                     /* held already: not reset */
        :: g > d_new ->
            if
            :: d_old == 0 -> d_old = g; d_old_base = n
            :: else -> d_old = d_new; d_old_base = d_new_base     /* the one in use is kept */
            fi;
            d_new = g; d_new_base = n
        :: else -> goto refused
        fi;
        if :: nfull(done) -> done ! g :: true fi;                 /* or the answer is lost */
refused:
        check() }
    :: atomic { nempty(key) -> key ? _, _ }
    :: atomic { sent && nfull(air) -> air ! w_gen, w_num }        /* replay, at any later time */
    :: s_gen == GENERATIONS && s_last >= TOP -> break
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
