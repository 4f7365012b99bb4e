/*
 * Handshake and key renewal of OSGP-AES-128-PSK (project profile 1) under loss, replay, reordering,
 * a forged AuthenticationFailure and power cuts of either side.
 *
 * What is abstracted: cryptography is perfect (a message with a MAC is accepted only as a whole and
 * under its own key); a channel's key is named by the device's epoch, and the ground truth of what
 * went into it is kept beside it.  Each side writes its memory before it sends, so a power cut
 * between the two is a lost message plus the loss of working memory.
 *
 * Checked: assertions (agreement on keys; an epoch makes one key; a common long-term key exists at
 * every moment; the client's channel stays open unless it believed a false refusal) and, with
 * finitely many faults, that both always reach the wanted long-term key and a working channel.
 */
#ifndef WANTED
#define WANTED 1                /* version of the long-term key that is wanted; the factory's is 0 */
#endif
#define NONE 255
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef RENEWALS
#define RENEWALS 1              /* renewals of the channel after that */
#endif
#define EPOCHS 24

mtype = { M1, M2, M3, M4, REQ, RSP, UPD, ACK, FAIL };

chan to_device = [2] of { mtype, byte, byte, byte };    /* type, client random, epoch, version */
chan to_client = [2] of { mtype, byte, byte, byte };

/* Device, non-volatile. */
byte d_epoch = 0, d_current = 0, d_next = 0, d_key = 0, d_newer = NONE;
/* Device, working memory: the open run. */
bool d_run = false;
byte d_run_random, d_run_epoch, d_run_version;

/* Client, non-volatile. */
byte c_channel = 0, c_epoch = 0, c_key = 0, c_newer = NONE;
bool c_proven = false, c_delivered = false, c_renew = false;
byte renewals = RENEWALS;
/* Client, working memory. */
byte c_random = 0, c_version = 0, c_run_epoch = 0;
bool c_refused = false, c_other = false;

/* Ground truth: what the device mixed into the key that it holds as next. */
byte truth_random, truth_version;

byte faults = FAULTS;
bool misled = false, done = false;  /* misled: an attacker's refusal was believed */

/* What an attacker kept of what was sent, any one of each kind, to play it again at any time. */
bool heard_m1 = false, heard_m3 = false, heard_req = false, heard_m2 = false, heard_m4 = false;
byte old_m1_r, old_m1_v, old_m3_r, old_m3_e, old_m3_v, old_req_e;
byte old_m2_r, old_m2_e, old_m2_v, old_m4_r, old_m4_e, old_m4_v;

#define COMMON (c_key == d_key || c_key == d_newer || (c_newer != NONE && (c_newer == d_key || c_newer == d_newer)))
#define OPEN(e) ((e) != 0 && ((e) == d_current || (e) == d_next))

inline check_invariants() {
    assert(COMMON);
    assert(c_channel == 0 || misled || OPEN(c_channel));
}

proctype device() {
    byte r, e, v;
    do
    :: atomic { to_device ? M1(r, e, v) ->
        if
        :: v == d_key || v == d_newer ->
            d_epoch++;
            assert(d_epoch < EPOCHS);
            d_run = true; d_run_random = r; d_run_epoch = d_epoch; d_run_version = v;
            if :: faults > 0 -> heard_m2 = true; old_m2_r = r; old_m2_e = d_epoch; old_m2_v = v :: skip fi;
            if :: nfull(to_client) -> to_client ! M2(r, d_epoch, v) :: full(to_client) fi
        :: else -> if :: nfull(to_client) -> to_client ! FAIL(0, 0, 0) :: full(to_client) fi
        fi; check_invariants() }
    :: atomic { to_device ? M3(r, e, v) ->
        if
        :: d_run && r == d_run_random && e == d_run_epoch && v == d_run_version ->
            if
            :: e != d_next && e != d_current -> d_next = e; truth_random = r; truth_version = v
            :: else
            fi;
            if :: v == d_newer -> d_key = v; d_newer = NONE :: else fi;
            if :: faults > 0 -> heard_m4 = true; old_m4_r = r; old_m4_e = e; old_m4_v = v :: skip fi;
            if :: nfull(to_client) -> to_client ! M4(r, e, v) :: full(to_client) fi
        :: else -> if :: nfull(to_client) -> to_client ! FAIL(0, 0, 0) :: full(to_client) fi
        fi; check_invariants() }
    :: atomic { to_device ? REQ(r, e, v) ->
        if
        :: OPEN(e) ->
            if :: e == d_next -> d_current = e; d_next = 0 :: else fi;
            if :: nfull(to_client) -> to_client ! RSP(0, e, 0) :: full(to_client) fi
        :: else -> if :: nfull(to_client) -> to_client ! FAIL(0, 0, 0) :: full(to_client) fi
        fi; check_invariants() }
    :: atomic { to_device ? UPD(r, e, v) ->
        if
        :: OPEN(e) ->
            if :: e == d_next -> d_current = e; d_next = 0 :: else fi;
            if
            :: v == d_key -> skip
            :: v == d_key + 1 -> d_newer = v
            :: else -> assert(false)            /* a version nobody asked for */
            fi;
            if :: nfull(to_client) -> to_client ! ACK(0, e, v) :: full(to_client) fi
        :: else -> if :: nfull(to_client) -> to_client ! FAIL(0, 0, 0) :: full(to_client) fi
        fi; check_invariants() }
    :: atomic { faults > 0 -> faults--; d_run = false }              /* power cut */
    :: atomic { done && empty(to_device) -> break }
    od
}

/* The version to prove: the likelier one, or after a refusal the other. */
inline choose_version() {
    if
    :: c_newer == NONE -> c_version = c_key
    :: c_newer != NONE && (c_delivered != c_other) -> c_version = c_newer
    :: else -> c_version = c_key
    fi
}

inline establish(e) {
    assert(e == d_next && truth_random == c_random && truth_version == c_version);   /* agreement */
    assert(e > c_epoch);
    c_channel = e; c_epoch = e; c_proven = false; c_refused = false; c_other = false;
    if
    :: c_newer != NONE && c_version == c_newer -> c_key = c_newer; c_newer = NONE
    :: else
    fi;
    c_delivered = false; c_renew = false;
    check_invariants()
}

/* A new transaction: EN 14908-1 drops what belongs to an older one; only the attacker has it still. */
inline begin_transaction() {
    do
    :: to_client ? _, _, _, _
    :: to_device ? _, _, _, _
    :: empty(to_client) && empty(to_device) -> break
    od
}

proctype client() {
    byte r, e, v;
work:
    atomic {
        if
        :: c_key < WANTED && c_newer == NONE -> c_newer = c_key + 1; c_delivered = false
        :: else
        fi;
        if
        :: c_channel == 0 || c_refused -> goto challenge
        :: else
        fi;
        if
        :: c_newer != NONE && !c_delivered -> goto update
        :: else
        fi;
        if
        :: !c_proven -> goto request
        :: else
        fi;
        if
        :: c_newer != NONE || c_renew -> goto challenge
        :: else
        fi;
        if
        :: renewals > 0 -> renewals--; c_renew = true; goto challenge
        :: else
        fi;
        done = true;
        goto finished
    }
challenge:
    atomic {
        choose_version();
        c_random++;
        begin_transaction();
        if :: faults > 0 -> heard_m1 = true; old_m1_r = c_random; old_m1_v = c_version :: skip fi;
        to_device ! M1(c_random, 0, c_version)
    }
    do
    :: atomic { to_client ? M2(r, e, v) ->
        if
        :: r == c_random && v == c_version && e > c_epoch ->
            c_run_epoch = e; goto confirm
        :: else -> c_other = !c_other; goto work
        fi }
    :: atomic { to_client ? FAIL(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { to_client ? M4(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { to_client ? RSP(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { to_client ? ACK(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { faults > 0 -> faults--; goto cut }
    :: timeout -> goto work
    od;
confirm:
    atomic {
        begin_transaction();
        if :: faults > 0 -> heard_m3 = true; old_m3_r = c_random; old_m3_e = c_run_epoch; old_m3_v = c_version :: skip fi;
        to_device ! M3(c_random, c_run_epoch, c_version)
    }
    do
    :: atomic { to_client ? M4(r, e, v) ->
        if
        :: r == c_random && e == c_run_epoch && v == c_version -> establish(e); goto work
        :: else -> c_other = !c_other; goto work
        fi }
    :: atomic { to_client ? FAIL(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { to_client ? M2(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { to_client ? RSP(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { to_client ? ACK(_, _, _) -> c_other = !c_other; goto work }
    :: atomic { faults > 0 -> faults--; goto cut }
    :: timeout -> goto confirm                  /* the same Confirm again */
    od;
update:
    atomic { begin_transaction(); to_device ! UPD(0, c_channel, c_newer) }
    do
    :: atomic { to_client ? ACK(_, e, v) ->
        if
        :: e == c_channel && v == c_newer -> c_proven = true; c_delivered = true; check_invariants()
        :: else
        fi; goto work }
    :: atomic { to_client ? FAIL(_, _, _) -> c_refused = true; misled = misled || OPEN(c_channel); goto work }
    :: atomic { to_client ? M2(_, _, _) -> goto work }
    :: atomic { to_client ? M4(_, _, _) -> goto work }
    :: atomic { to_client ? RSP(_, _, _) -> goto work }
    :: atomic { faults > 0 -> faults--; goto cut }
    :: timeout -> goto work
    od;
request:
    atomic {
        begin_transaction();
        if :: faults > 0 -> heard_req = true; old_req_e = c_channel :: skip fi;
        to_device ! REQ(0, c_channel, 0)
    }
    do
    :: atomic { to_client ? RSP(_, e, _) ->
        if :: e == c_channel -> c_proven = true; check_invariants() :: else fi; goto work }
    :: atomic { to_client ? FAIL(_, _, _) -> c_refused = true; misled = misled || OPEN(c_channel); goto work }
    :: atomic { to_client ? M2(_, _, _) -> goto work }
    :: atomic { to_client ? M4(_, _, _) -> goto work }
    :: atomic { to_client ? ACK(_, _, _) -> goto work }
    :: atomic { faults > 0 -> faults--; goto cut }
    :: timeout -> goto work
    od;
cut:                                            /* working memory is gone */
    atomic { c_version = 0; c_run_epoch = 0; c_refused = false; c_other = false; begin_transaction(); goto work };
finished:
    skip
}

proctype attacker() {
    do
    :: atomic { faults > 0 && nempty(to_device) -> faults--; to_device ? _, _, _, _ }
    :: atomic { faults > 0 && nempty(to_client) -> faults--; to_client ? _, _, _, _ }
    :: atomic { faults > 0 && heard_m1 && nfull(to_device) -> faults--; to_device ! M1(old_m1_r, 0, old_m1_v) }
    :: atomic { faults > 0 && heard_m3 && nfull(to_device) -> faults--; to_device ! M3(old_m3_r, old_m3_e, old_m3_v) }
    :: atomic { faults > 0 && heard_req && nfull(to_device) -> faults--; to_device ! REQ(0, old_req_e, 0) }
    :: atomic { faults > 0 && heard_m2 && nfull(to_client) -> faults--; to_client ! M2(old_m2_r, old_m2_e, old_m2_v) }
    :: atomic { faults > 0 && heard_m4 && nfull(to_client) -> faults--; to_client ! M4(old_m4_r, old_m4_e, old_m4_v) }
    :: atomic { faults > 0 && nfull(to_client) -> faults--; to_client ! FAIL(0, 0, 0) }
    :: atomic { done || faults == 0 ->          /* nothing is left to replay: forget it */
        heard_m1 = false; heard_m2 = false; heard_m3 = false; heard_m4 = false; heard_req = false;
        old_m1_r = 0; old_m1_v = 0; old_m2_r = 0; old_m2_e = 0; old_m2_v = 0; old_m3_r = 0;
        old_m3_e = 0; old_m3_v = 0; old_m4_r = 0; old_m4_e = 0; old_m4_v = 0; old_req_e = 0;
        break }
    od
}

init { atomic { run device(); run client(); run attacker() } }

ltl finishes { <> (done && c_key == WANTED && d_key == WANTED && c_proven) }
