/* isis.h: process groups with ordered, atomic broadcasts that survive crashes.
 *
 * Generated from isis-ffi by `make header`; do not edit. The words are those of Birman and Joseph,
 * "Reliable Communication in an Unreliable Environment" (TR 85-694), whose paragraphs the comments
 * name. (Later literature calls BCAST ABCAST and OBCAST CBCAST.)
 *
 * A program opens a site, opens a process at it, joins groups, sends, and takes its events: with
 * callbacks through isis_dispatch(), one by one through isis_next(), or on a thread of the library
 * (isis_start_thread()). isis_fd() makes the events part of any poll loop. Nothing calls back but
 * these.
 *
 * What holds everywhere:
 * - Functions return 0 (ISIS_OK), a count, or ISIS_PENDING; failures are negative codes, for which
 *   isis_last_error() has the details. The constants' comments say what to do about each.
 * - Any call may return ISIS_EPANIC: an invariant of the library broke, and the site has halted
 *   (close it, and please report it); and, in the child of a fork made after a site was opened,
 *   ISIS_EFORKED. The comments of the functions list the other codes.
 * - Handles are numbers; 0 is none. A closed one gives ISIS_ECLOSED (ended memberships:
 *   ISIS_ENOTMEMBER), and ISIS_EINVAL once its place is used again; neither ever crashes.
 * - `timeout_ms`: negative waits for ever; 0 never waits: operations are started, return
 *   ISIS_PENDING, and their outcome comes as a *completed* event with the caller's token. When time
 *   runs out (ISIS_ETIMEDOUT) an operation goes on in the same way.
 * - "Thread: any" means that any number of threads may call at once.
 * - Strings are UTF-8 and end with a NUL; names and labels have at most 255 bytes.
 * - Structs with `struct_size` are set up by their _init function, or by setting that field to
 *   sizeof; new fields are added at their end, so that old programs go on working.
 * - The library handles no signals, blocks them in its threads, and never raises SIGPIPE.
 */
#ifndef ISIS_H
#define ISIS_H


#include <stddef.h>
#include <stdint.h>

#define ISIS_VERSION_MAJOR 0
#define ISIS_VERSION_MINOR 1
#define ISIS_VERSION_PATCH 0
/* As text, and as one number: major * 65536 + minor * 256 + patch. */
#define ISIS_VERSION "0.1.0"
#define ISIS_VERSION_NUMBER \
    (ISIS_VERSION_MAJOR * 65536u + ISIS_VERSION_MINOR * 256u + ISIS_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif


/**
 * Success.
 */
#define ISIS_OK 0

/**
 * Not an error: the operation has been started; its outcome comes as a *completed* event.
 */
#define ISIS_PENDING 1

/**
 * An argument is wrong (NULL, a stale handle, an empty list, configuration); isis_last_error()
 * says which. Mend the program.
 */
#define ISIS_EINVAL -1

/**
 * The system gave no more memory, descriptors or threads. Free some, try again.
 */
#define ISIS_ENOMEM -2

/**
 * The site or process has been closed. Open another one.
 */
#define ISIS_ECLOSED -3

/**
 * The time given has passed. An operation that was started goes on, and its outcome comes as a
 * *completed* event.
 */
#define ISIS_ETIMEDOUT -4

/**
 * Back-pressure: nothing was started. Try again after the *writable* event, or pass ISIS_WAIT.
 */
#define ISIS_EAGAIN -5

/**
 * The message is larger than the site's `max_message`. Send less at a time.
 */
#define ISIS_EMSGSIZE -6

/**
 * The process is no member of the group: it has left it, or has not joined yet. Join.
 */
#define ISIS_ENOTMEMBER -7

/**
 * The other sites agreed that this one had failed (4.1, "you are dead"). Close it, open another.
 */
#define ISIS_EEXCLUDED -8

/**
 * A name or label is empty, longer than 255 bytes, or not UTF-8. Choose another one.
 */
#define ISIS_ENAME -9

/**
 * A peer or a file broke the protocol. See the log.
 */
#define ISIS_EPROTO -10

/**
 * The operating system refused something, such as a port in use; isis_last_error() says what.
 */
#define ISIS_EIO -11

/**
 * isis_wakeup() or a signal handler ended the wait. Look at what it was about, call again.
 */
#define ISIS_EINTR -12

/**
 * The program forked after a site was opened, and this is the child. Only exec helps.
 */
#define ISIS_EFORKED -13

/**
 * A blocking call inside a callback, or another thread is taking this process's events. Pass a
 * timeout of 0, or call from elsewhere.
 */
#define ISIS_EBUSY -14

/**
 * Not available in this build or configuration; isis_last_error() says what would be needed.
 */
#define ISIS_ENOTSUP -15

/**
 * The program was compiled against a newer isis.h than this library has. Install that library.
 */
#define ISIS_EVERSION -16

/**
 * No quorum of the site view is reachable. Wait for the *unblocked* event.
 */
#define ISIS_EBLOCKED -17

/**
 * An invariant of the library broke, or the registered comparison of olabels is at fault:
 * isis_last_error() says which. The site has halted; close it. Please report the one, mend the other.
 */
#define ISIS_EPANIC -18

/**
 * No log.
 */
#define ISIS_LOG_OFF 0

/**
 * The library has a bug, or the site had to stop.
 */
#define ISIS_LOG_ERROR 1

/**
 * A peer misbehaves: garbage, refusals, suspicions.
 */
#define ISIS_LOG_WARN 2

/**
 * Views, and whom the site waits for.
 */
#define ISIS_LOG_INFO 3

/**
 * Connections and protocol runs.
 */
#define ISIS_LOG_DEBUG 4

/**
 * Everything.
 */
#define ISIS_LOG_TRACE 5

/**
 * The primitive of 3.1: same label, same order at all common destinations.
 */
#define ISIS_BCAST 1

/**
 * The primitive of 3.2: ordered by what *precedes* it.
 */
#define ISIS_OBCAST 2

/**
 * The primitive of 3.3: ordered against everything in its group.
 */
#define ISIS_GBCAST 3

/**
 * A new site view needs a majority of the view before, or exactly half with its oldest site: the
 * other side of a cut blocks.
 */
#define ISIS_QUORUM_MAJORITY 0

/**
 * The report's assumption that the network never partitions (2): both sides of a cut go on, and
 * the promises on order across failures hold only if there is none.
 */
#define ISIS_QUORUM_NONE 1

/**
 * Every listed site takes part in the first site view.
 */
#define ISIS_FIRST_VIEW_ALL 0

/**
 * A majority is enough, at the operator's risk: after a cut, restarted sites can found a second
 * system.
 */
#define ISIS_FIRST_VIEW_MAJORITY 1

/**
 * This site begins alone, at the operator's risk.
 */
#define ISIS_FIRST_VIEW_ALONE 2

/**
 * The first olabel is less: an OBCAST with it comes before a later one with the second.
 */
#define ISIS_OLABEL_BEFORE -1

/**
 * OBCASTs with these olabels come in the order in which they are sent.
 */
#define ISIS_OLABEL_EQUAL 0

/**
 * The first olabel is greater. An OBCAST with the second one that is sent later is accepted all the
 * same; nothing orders the two, and the statistic `late_olabels` counts it.
 */
#define ISIS_OLABEL_AFTER 1

/**
 * Nothing orders them.
 */
#define ISIS_OLABEL_UNRELATED 2

/**
 * Wait for room instead of returning ISIS_EAGAIN; as long as isis_set_send_timeout() says.
 */
#define ISIS_WAIT 1

/**
 * For OBCASTs: comparable with no other (3.2).
 */
#define ISIS_UNORDERED 2

/**
 * For BCASTs: *safe*. Nobody is handed it until every operational destination site is known to hold it,
 * and what comes before it by its label, in their final places: whoever is handed it, and fails
 * thereafter or not, has got the BCASTs of the label up to it as all survivors get them. Takes two
 * hops more than a plain one; BCASTs of the label that come after it wait along.
 */
#define ISIS_SAFE 4

/**
 * Some operational destination site may not have it yet.
 */
#define ISIS_STATUS_PENDING 0

/**
 * Received at every operational destination site (OBCAST), or its place is final (BCAST, GBCAST).
 */
#define ISIS_STATUS_SENT 1

/**
 * Received, and final, at every operational destination site: no failure can undo it.
 */
#define ISIS_STATUS_STABLE 2

/**
 * A broadcast is delivered: isis_event_message(), isis_event_group().
 */
#define ISIS_EVENT_MESSAGE 1

/**
 * A group has a new view: isis_event_group_view(), isis_event_group().
 */
#define ISIS_EVENT_VIEW 2

/**
 * The site view has changed: isis_event_site_view().
 */
#define ISIS_EVENT_SITE_VIEW 3

/**
 * No quorum of the site view is reachable: broadcasts wait.
 */
#define ISIS_EVENT_BLOCKED 4

/**
 * A quorum is reachable again.
 */
#define ISIS_EVENT_UNBLOCKED 5

/**
 * A send that gave ISIS_EAGAIN may be tried again.
 */
#define ISIS_EVENT_WRITABLE 6

/**
 * An operation has ended: isis_event_token(), isis_event_operation(), isis_event_status(), and
 * for a join or a look-up isis_event_group().
 */
#define ISIS_EVENT_COMPLETED 7

/**
 * The others agreed that this site had failed: isis_event_site_view() goes on without it.
 */
#define ISIS_EVENT_EXCLUDED 8

/**
 * The process has ended; no event follows.
 */
#define ISIS_EVENT_CLOSED 9

/**
 * A broadcast of this process reached nobody, because the group that it watched was dissolved first:
 * isis_event_id().
 */
#define ISIS_EVENT_UNDELIVERABLE 10

/**
 * A join has ended.
 */
#define ISIS_OP_JOIN 1

/**
 * A leave has ended.
 */
#define ISIS_OP_LEAVE 2

/**
 * A flush has ended.
 */
#define ISIS_OP_FLUSH 3

/**
 * The closing of a process has ended.
 */
#define ISIS_OP_CLOSE 4

/**
 * A status call has been answered: isis_event_delivery_status().
 */
#define ISIS_OP_STATUS 5

/**
 * A look-up has ended.
 */
#define ISIS_OP_LOOKUP 6

/**
 * It asked to leave.
 */
#define ISIS_LEFT 1

/**
 * Its site failed: it halted, or was silent for so long that the others agreed that it had.
 */
#define ISIS_SITE_FAILED 2

/**
 * The process ended without leaving, while its site lives.
 */
#define ISIS_PROCESS_FAILED 3

/**
 * An event of a process, taken by isis_next(). It never changes.
 */
typedef struct isis_event isis_event;

/**
 * A numbered membership list of a group, oldest member first (3.3); the same at all members that
 * have this number. It never changes: any number of threads may read it at once.
 */
typedef struct isis_group_view isis_group_view;

/**
 * A delivered broadcast. It never changes: any number of threads may read it at once.
 */
typedef struct isis_message isis_message;

/**
 * A numbered list of the operational sites, oldest first (4.2). It never changes: any number of
 * threads may read it at once.
 */
typedef struct isis_site_view isis_site_view;

/**
 * Gets one line of the log: its level (ISIS_LOG_*), the part of the library that it is from, and
 * the text, all borrowed. Called from any thread, also the library's: be quick, and call no function
 * of the library that blocks.
 */
typedef void (*isis_log_callback)(void *user, int level, const char *target, const char *message);

/**
 * Another site that is listed in the configuration.
 */
typedef struct isis_peer {
    /**
     * Its number.
     */
    uint32_t id;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Where it is reached: "host:port".
     */
    const char *address;
} isis_peer;

/**
 * What a site is told when it opens. Initialize it with isis_site_options_init(), then set `id`,
 * usually `listen` and `peers`, and what else should not be the default. 0 and NULL mean the
 * default. Strings and the list are copied by isis_site_open().
 */
typedef struct isis_site_options {
    /**
     * sizeof(isis_site_options), set by isis_site_options_init().
     */
    size_t struct_size;
    /**
     * This site's number, 1 or more, different from all others'.
     */
    uint32_t id;
    /**
     * ISIS_QUORUM_*.
     */
    uint32_t quorum;
    /**
     * ISIS_FIRST_VIEW_*.
     */
    uint32_t first_view;
    /**
     * Not 0: may listen outside loopback without a key.
     */
    uint32_t insecure;
    /**
     * The cluster's name; sites of different names refuse each other. Default "isis".
     */
    const char *cluster;
    /**
     * Where to listen, "host:port"; port 0 picks one. Default "127.0.0.1:0".
     */
    const char *listen;
    /**
     * What the others are told to connect to. Default: where it listens.
     */
    const char *advertise;
    /**
     * The other listed sites.
     */
    const struct isis_peer *peers;
    /**
     * How many they are.
     */
    size_t peer_count;
    /**
     * How often an idle link says hello (4.1). Default 250.
     */
    uint32_t hello_interval_ms;
    /**
     * The least silence after which a site is suspected. Default 2000.
     */
    uint32_t suspect_after_ms;
    /**
     * The largest message accepted, in bytes. Default 64 MiB.
     */
    uint64_t max_message;
    /**
     * How many broadcasts of one process may be undelivered somewhere before its sends give
     * ISIS_EAGAIN. Default 4096.
     */
    uint64_t window_messages;
    /**
     * The same in bytes. Default 128 MiB.
     */
    uint64_t window_bytes;
    /**
     * The folder in which a history of the site is recorded, for `isis audit`. Default: the one that
     * the environment variable ISIS_RECORD names, or none. An error of the disk ends the recording,
     * never the site; the log says so.
     */
    const char *record;
    /**
     * The name of the comparison of olabels below; NULL if there is none, and olabels are streams and
     * sets of streams. Sites with different names refuse each other.
     */
    const char *olabel_order;
    /**
     * How one olabel stands to another (3.2): ISIS_OLABEL_*. Called on the thread that sends an OBCAST
     * with an olabel, before that send returns, under no lock; it counts as a callback, and must return.
     * It must be pure, and answer for two olabels in either order alike: what it says is remembered.
     * Another answer, or one that contradicts another, halts the site, and isis_last_error() names both
     * olabels.
     */
    int (*compare_olabels)(void *user, const char *first, const char *second);
    /**
     * Given to `compare_olabels`, possibly by several threads at once; must live as long as the site.
     */
    void *compare_user;
    /**
     * The directory of the site's store, made if it does not exist; one for each site. Default: none.
     * With it a restarted site votes as it had voted, and after all sites have failed those of the
     * last view go on (4.2). It keeps site views, no messages and nothing of the application.
     */
    const char *store;
    /**
     * Not NULL: the sequence of site views whose name this is, 32 hexadecimal digits as the log names
     * them, is over: its last sites are lost for good. If one of them still runs, there will be two
     * systems.
     */
    const char *abandon;
} isis_site_options;

/**
 * An open site: this program's part of the cluster. 0 is none. Never an address: one that was
 * closed is recognised. A program may open several, each of its own number.
 */
typedef uint64_t isis_site;

/**
 * One running instance of a site (4.1): its number, and which run of it this is.
 */
typedef struct isis_site_id {
    /**
     * Grows at every restart.
     */
    uint64_t incarnation;
    /**
     * The configured number.
     */
    uint32_t site;
    /**
     * 0.
     */
    uint32_t reserved;
} isis_site_id;

/**
 * What a site has done (counters) and what it holds now (gauges, from `threads` on).
 */
typedef struct isis_stats {
    /**
     * sizeof(isis_stats), set by the caller.
     */
    size_t struct_size;
    /**
     * Site views applied.
     */
    uint64_t site_views;
    /**
     * Times that no quorum of the site view was reachable.
     */
    uint64_t blocked_spells;
    /**
     * Times that this site took over as view manager.
     */
    uint64_t take_overs;
    /**
     * Handshakes refused, by either side.
     */
    uint64_t refused_handshakes;
    /**
     * Connections closed because of bytes that are no frame, or a frame out of place.
     */
    uint64_t garbage_connections;
    /**
     * Connections that never said anything whole and were closed.
     */
    uint64_t half_open_connections;
    /**
     * Sessions that continued on a new connection.
     */
    uint64_t resumed_sessions;
    /**
     * BCASTs put on queues of local processes.
     */
    uint64_t bcasts_delivered;
    /**
     * OBCASTs put on queues of local processes.
     */
    uint64_t obcasts_delivered;
    /**
     * Application GBCASTs put on queues of local processes.
     */
    uint64_t gbcasts_delivered;
    /**
     * Threads that run.
     */
    uint64_t threads;
    /**
     * Local processes.
     */
    uint64_t processes;
    /**
     * Events that wait in their queues.
     */
    uint64_t queued_events;
    /**
     * Their broadcasts that some destination has not taken yet.
     */
    uint64_t in_flight_messages;
    /**
     * The same in payload bytes.
     */
    uint64_t in_flight_bytes;
    /**
     * Connections, half-open ones included.
     */
    uint64_t connections;
    /**
     * A counter: OBCASTs sent here whose olabel was less than that of one sent or taken before.
     */
    uint64_t late_olabels;
} isis_stats;

/**
 * A process (2): an endpoint at a site. 0 is none. Never an address: one that was closed is
 * recognised.
 */
typedef uint64_t isis_process;

/**
 * A process's membership in a group (3.3), or its watch of one (isis_lookup()). 0 is none. It ends by
 * itself with the membership or the watch, or with the process; nothing to give back.
 */
typedef uint64_t isis_group;

/**
 * The answer of isis_status(). Set `failed` and `failed_room` before the call: where the library
 * may list the failed sites; NULL and 0 if only their number is of interest.
 */
typedef struct isis_delivery_status {
    /**
     * sizeof(isis_delivery_status).
     */
    size_t struct_size;
    /**
     * Where to list destination sites that failed before they had it.
     */
    struct isis_site_id *failed;
    /**
     * How many fit there.
     */
    size_t failed_room;
    /**
     * How many there are, which may be more.
     */
    size_t failed_count;
    /**
     * ISIS_STATUS_*.
     */
    uint32_t state;
    /**
     * 0.
     */
    uint32_t reserved;
} isis_delivery_status;

/**
 * A process: an endpoint at a site (2). Never used again for another one.
 */
typedef struct isis_process_id {
    /**
     * The incarnation of its site.
     */
    uint64_t incarnation;
    /**
     * The number of its site.
     */
    uint32_t site;
    /**
     * Which of the site's processes, from 1.
     */
    uint32_t index;
} isis_process_id;

/**
 * ID(B) of section 3: the name of a broadcast.
 */
typedef struct isis_id {
    /**
     * SENDER(B).
     */
    struct isis_process_id sender;
    /**
     * Counts from 1 per sender and primitive.
     */
    uint64_t seq;
    /**
     * ISIS_BCAST, ISIS_OBCAST or ISIS_GBCAST.
     */
    uint32_t primitive;
    /**
     * 0.
     */
    uint32_t reserved;
} isis_id;

/**
 * What the application wants to be told. Set every field you do not need to NULL, best with
 * isis_callbacks_init(). `user` is what was given along with the struct.
 *
 * The rules for all of them: they are called by whoever dispatches the process's events, one at a
 * time, in the order of the events. Messages and views are borrowed: valid until the callback
 * returns (isis_message_clone() keeps a message). Inside a callback sends, accessors, clones and
 * operations with a timeout of 0 are allowed; what would wait gives ISIS_EBUSY. A callback must
 * return: no longjmp(), no C++ exception.
 */
typedef struct isis_callbacks {
    /**
     * sizeof(isis_callbacks), set by isis_callbacks_init().
     */
    size_t struct_size;
    /**
     * A broadcast is delivered (3). `group` is 0 if it was sent to an explicit destination list.
     */
    void (*deliver)(void *user,
                    isis_process process,
                    isis_group group,
                    const struct isis_message *message);
    /**
     * A group the process is in, or watches, has a new view (3.3): after every message of the view
     * before, and before every message of this one. The view that ends the process's own membership
     * does not list it, and is the last the process hears of the group; to a process that watches,
     * the last is a view without members: the group is dissolved.
     */
    void (*view)(void *user,
                 isis_process process,
                 isis_group group,
                 const struct isis_group_view *view);
    /**
     * The site view has changed (4.2); every message of the views before it came before.
     */
    void (*site_view)(void *user, isis_process process, const struct isis_site_view *view);
    /**
     * No quorum of the site view is reachable: broadcasts wait. `unblocked` or `excluded` follows.
     */
    void (*blocked)(void *user, isis_process process);
    /**
     * A quorum is reachable again; what waited goes on by itself.
     */
    void (*unblocked)(void *user, isis_process process);
    /**
     * A send that gave ISIS_EAGAIN may be tried again.
     */
    void (*writable)(void *user, isis_process process);
    /**
     * An operation that gave ISIS_PENDING or ISIS_ETIMEDOUT has ended: `token` as given to it,
     * `operation` one of ISIS_OP_*, `status` its code, `group` the group's handle (ISIS_OP_JOIN and
     * ISIS_OP_LOOKUP with ISIS_OK) or 0.
     */
    void (*completed)(void *user,
                      isis_process process,
                      uint64_t token,
                      int operation,
                      int status,
                      isis_group group);
    /**
     * The others agreed that this site had failed ("you are dead", 4.1); `view` goes on without
     * it. Only `closed` follows.
     */
    void (*excluded)(void *user, isis_process process, const struct isis_site_view *view);
    /**
     * The process has ended; no event follows. Its handle is still to be closed.
     */
    void (*closed)(void *user, isis_process process);
    /**
     * Called once, after the last other call of this struct's callbacks, when the library has
     * forgotten them: `user` may be freed. Called by the thread that closes or replaces them, or by
     * the one that dispatches.
     */
    void (*drop)(void *user);
    /**
     * An isis_status() that gave ISIS_PENDING or ISIS_ETIMEDOUT has its answer, borrowed like
     * messages and views. If this is NULL, `completed` is told that it has ended.
     */
    void (*answered)(void *user,
                     isis_process process,
                     uint64_t token,
                     const struct isis_delivery_status *answer);
    /**
     * A broadcast of the process, `id`, reached nobody: the group that it watched was dissolved first.
     */
    void (*undeliverable)(void *user, isis_process process, const struct isis_id *id);
} isis_callbacks;

/**
 * An instance of a group (3.3): a group dissolved and created anew under its old name has another
 * one.
 */
typedef struct isis_group_id {
    /**
     * The process whose join created the group.
     */
    struct isis_process_id founder;
    /**
     * Counts the groups that the founder created.
     */
    uint64_t seq;
} isis_group_id;

/**
 * One piece of a message that is gathered; the layout of POSIX's `struct iovec`.
 */
typedef struct isis_iovec {
    /**
     * Where it begins; may be NULL if `len` is 0.
     */
    const void *base;
    /**
     * How many bytes it has.
     */
    size_t len;
} isis_iovec;

/**
 * A process that is no longer in a group, and why.
 */
typedef struct isis_departure {
    /**
     * Which.
     */
    struct isis_process_id process;
    /**
     * ISIS_LEFT, ISIS_SITE_FAILED or ISIS_PROCESS_FAILED.
     */
    uint32_t reason;
    /**
     * 0.
     */
    uint32_t reserved;
} isis_departure;

/**
 * A site that is no longer in the site view, and why.
 */
typedef struct isis_site_departure {
    /**
     * Which.
     */
    struct isis_site_id site;
    /**
     * ISIS_LEFT or ISIS_SITE_FAILED.
     */
    uint32_t reason;
    /**
     * 0.
     */
    uint32_t reserved;
} isis_site_departure;

/**
 * The meaning of a code, in a few words. Unknown codes give "unknown code".
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: static text, never NULL.
 */
const char *isis_strerror(int code);

/**
 * The name of a code as this header spells it, such as "ISIS_EINVAL". Unknown codes give
 * "ISIS_E?".
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: static text, never NULL.
 */
const char *isis_error_name(int code);

/**
 * What exactly went wrong in this thread's last failed call; "" if none has failed. Calls that
 * succeed leave it as it is.
 *
 * Thread: any, each has its own; allowed inside a callback. Blocking: no. Ownership: the
 * library's, valid until the next call that fails in the same thread; never NULL.
 */
const char *isis_last_error(void);

/**
 * The version of the library that the program runs with, as ISIS_VERSION_NUMBER has that of the
 * header it was compiled with: major * 65536 + minor * 256 + patch.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
uint32_t isis_version_number(void);

/**
 * The same as text, as ISIS_VERSION has it.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: static text, never NULL.
 */
const char *isis_version_string(void);

/**
 * Whether the library can serve a program compiled with the header of version `header`
 * (ISIS_VERSION_NUMBER): the same major number, and for major 0 the same minor number, and not an
 * older library.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EVERSION it cannot: install the library that belongs to the header.
 */
int isis_version_check(uint32_t header);

/**
 * Has `callback` told of the log, lines of `level` and graver, for all sites of the program. NULL
 * switches it off, as it is at the start. When this returns, the callback set before is not
 * running and will not be called again.
 *
 * Thread: any; not inside a callback. Blocking: while the old callback runs. Ownership: `user` goes
 * along with every call and stays the caller's.
 * Codes: ISIS_EINVAL no such level; ISIS_EBUSY inside a callback: call it elsewhere.
 */
int isis_set_log(isis_log_callback callback, void *user, int level);

/**
 * Sets `struct_size` and the defaults. NULL is allowed and does nothing.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
void isis_site_options_init(struct isis_site_options *options);

/**
 * Opens a site: binds its port and starts its three threads, which block all signals. Returns at
 * once; the first site view comes later (isis_site_wait_view()).
 *
 * Thread: any; allowed inside a callback. Blocking: no, except to look up a host name to listen on.
 * Ownership: `*out` is the caller's, to be given to isis_site_close(); `options` is copied.
 * Codes: ISIS_EINVAL an option is wrong, isis_last_error() says which and what was expected;
 * ISIS_ENAME an option is not UTF-8; ISIS_EIO the port is in use, the name unknown, or the store
 * cannot be written; ISIS_EBUSY another site has the store open; ISIS_EPROTO the store is damaged or
 * another site's: isis_last_error() says what to do;
 * ISIS_ENOTSUP listening outside loopback without a key needs `insecure`; ISIS_EVERSION header
 * newer than the library; ISIS_EFORKED in a forked child.
 */
int isis_site_open(const struct isis_site_options *options,
                   isis_site *out);

/**
 * As isis_site_open(), from a text, "id=1 listen=127.0.0.1:7001 peer=2@127.0.0.1:7002": no struct
 * to fill. Words in any order, separated by blanks: id (required), cluster, listen, advertise, peer
 * (`id@host:port`, as often as there are peers), quorum (majority, none), first_view (all,
 * majority, alone), store, abandon, insecure (yes, no), hello_interval_ms, suspect_after_ms,
 * max_message, window_messages, window_bytes, along_bytes, patience_ms, record. NULL takes the text
 * from the environment variable ISIS_CONFIG. A comparison of olabels takes isis_site_open().
 *
 * Thread: any; allowed inside a callback. Blocking: no, except to look up a host name to listen on.
 * Ownership: `*out` is the caller's, to be given to isis_site_close().
 * Codes: as isis_site_open(); ISIS_EINVAL also if `config` is NULL and ISIS_CONFIG unset.
 */
int isis_site_open_text(const char *config, isis_site *out);

/**
 * Closes a site: its processes end, it leaves the site view, its threads end, its port is free.
 * Its handle and those of its processes and groups have ended when this returns, with whatever code
 * but ISIS_PENDING, ISIS_EINVAL, ISIS_EBUSY and ISIS_ENOMEM. Processes with a library thread: that is
 * joined (not with a timeout of 0).
 *
 * `timeout_ms`: how long the farewell may take, -1 for ever. 0 does not wait: ISIS_PENDING says that
 * the close goes on by itself, for at most 5 seconds. The handles stay valid; take the remaining
 * events, and call it again, for example every few milliseconds after *closed*: once the site and its
 * threads have stopped, it returns ISIS_OK. (With another timeout it then waits for that.) Nothing is
 * wrong with ending the program instead.
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle (a second close, too); ISIS_ETIMEDOUT it
 * is closed, but the others may have to find out by themselves, isis_last_error() says why;
 * ISIS_EBUSY would block inside a callback: pass 0; ISIS_ENOMEM no thread left to go on in: pass
 * another timeout.
 */
int isis_site_close(isis_site site,
                    int timeout_ms);

/**
 * The site's number and incarnation (4.1).
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL.
 */
int isis_site_get_id(isis_site site, struct isis_site_id *out);

/**
 * Where the site really listens, "host:port", with the port that was picked for port 0. Writes at
 * most `size` bytes into `buffer`, the last one a NUL.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the buffer stays the caller's.
 * Result: the length of the address without the NUL, which may be more than fitted; or a negative
 * code: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL with a size above 0.
 */
int isis_site_address(isis_site site, char *buffer, size_t size);

/**
 * The latest site view; `*out` is NULL before the first.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: `*out` is the caller's, to be
 * given to isis_site_view_free().
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL.
 */
int isis_site_current_view(isis_site site, struct isis_site_view **out);

/**
 * Waits for a site view of at least `min_sites` sites. `out`, if not NULL, gets it, or NULL.
 *
 * `timeout_ms`: how long to wait; -1 for ever, 0 not at all.
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says. Ownership:
 * `*out` is the caller's, to be given to isis_site_view_free().
 * Codes: ISIS_ETIMEDOUT no such view yet: the log names whom the site waits for; ISIS_EINVAL,
 * ISIS_ECLOSED, ISIS_EEXCLUDED bad, closed or excluded site; ISIS_EBUSY would block inside a
 * callback.
 */
int isis_site_wait_view(isis_site site,
                        size_t min_sites,
                        int timeout_ms,
                        struct isis_site_view **out);

/**
 * Whether the site is blocked: 1 if no quorum of its site view is reachable, 0 if it goes on.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Result: 1, 0, or a negative code: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle.
 */
int isis_site_is_blocked(isis_site site);

/**
 * The site's counters and gauges. Set `out->struct_size` before the call.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, NULL, struct_size unset; ISIS_EVERSION
 * header newer than the library.
 */
int isis_site_stats(isis_site site, struct isis_stats *out);

/**
 * Opens a process at a site. It may join and send at once; until the first site view that waits.
 *
 * `name` is for people (logs).
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: `*out` is the caller's, to be
 * given to isis_process_close().
 * Codes: ISIS_EINVAL bad handle, or NULL; ISIS_ENAME bad name; ISIS_ECLOSED, ISIS_EEXCLUDED the
 * site has ended: open another one; ISIS_ENOMEM no descriptor left.
 */
int isis_process_open(isis_site site, const char *name, isis_process *out);

/**
 * Ends a process: its groups see it fail once its broadcasts are received and final (R31, the
 * report's 2). Leave first where the others should see it leave. When this returns ISIS_OK the
 * handle and those of its groups have ended, isis_fd() is closed, events not taken are dropped, and
 * the callbacks' `drop` has been called (by a callback under way: when that returns). ISIS_PENDING
 * and ISIS_ETIMEDOUT leave the handle valid: take the remaining events, and after *closed* call it
 * again, which then returns ISIS_OK at once. If the process has a library thread, that is joined.
 *
 * `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome as *completed* event with `token`).
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle (a second close, too); ISIS_ETIMEDOUT it
 * goes on; ISIS_EBUSY would block inside a callback: pass 0; ISIS_EBLOCKED no quorum.
 */
int isis_process_close(isis_process process, int timeout_ms, uint64_t token);

/**
 * Says who is to be told of the process's events. Replaces what was set before, whose `drop` is
 * called. NULL: nobody (events without a callback are dropped when dispatched). `user` goes along
 * with every call. Events of a group that was joined with callbacks of its own go there first.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the struct is copied; `user` is
 * the library's until `drop`, unless this call fails: then nothing is taken, and `drop` not called.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, struct_size unset; ISIS_EVERSION header
 * newer than the library.
 */
int isis_set_callbacks(isis_process process, const struct isis_callbacks *callbacks, void *user);

/**
 * Has a thread of the library dispatch the process's events from now on, until *closed*. Set the
 * callbacks first. The thread blocks all signals.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or it has its thread already; ISIS_ENOMEM
 * no thread left.
 */
int isis_start_thread(isis_process process);

/**
 * The process's name in the system, unique for ever.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle, or NULL.
 */
int isis_process_get_id(isis_process process, struct isis_process_id *out);

/**
 * How long sends with ISIS_WAIT wait for room: -1, the default, for ever.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle.
 */
int isis_set_send_timeout(isis_process process, int timeout_ms);

/**
 * The flush primitive of 3.4: completes when every OBCAST that the process sent or delivered is
 * received, and every BCAST that it sent is final, at all operational destinations. What it did
 * before survives any failure after that: flush before telling the outside world.
 *
 * `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome as *completed* event with `token`).
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process; ISIS_ETIMEDOUT it goes
 * on, and completes as an event; ISIS_EBUSY would block inside a callback: pass 0.
 */
int isis_flush(isis_process process, int timeout_ms, uint64_t token);

/**
 * Makes the process a member of the group of this name (3.3), which is created if there is none.
 * The view that admits it is its first event of the group.
 *
 * `callbacks`, if not NULL, are told of the group's messages and views (`deliver`, `view`) instead
 * of the process's; their `drop` is called when the membership ends. `out`, if not NULL, gets the
 * group's handle on ISIS_OK, else 0.
 * `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome, with the handle, as *completed* event
 * with `token`).
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says. Ownership:
 * the struct is copied; `user` is the library's until `drop`, unless this call fails (ISIS_PENDING
 * and ISIS_ETIMEDOUT are no failure here): then nothing is taken, and `drop` not called.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process, NULL, already a member;
 * ISIS_ENAME bad name; ISIS_EVERSION header newer than the library; ISIS_ETIMEDOUT it goes on, and
 * completes as an event; ISIS_EBUSY would block inside a callback: pass 0.
 */
int isis_join(isis_process process,
              const char *group,
              const struct isis_callbacks *callbacks,
              void *user,
              int timeout_ms,
              uint64_t token,
              isis_group *out);

/**
 * Addresses the group of this name without joining it: from now on the process *watches* the group.
 *
 * A process that watches gets the group's view as it is, then every later one, in the place that the
 * view has among the messages at the members: after a view that tells of a failure nothing comes from
 * who failed (3.3). It may use the handle for isis_bcast(), isis_obcast() and isis_gbcast(): what it
 * sends has the order, the safety and the status of what a member sends, but the group's messages,
 * its own included, do not come to it. The watch goes on until isis_leave(), until the process joins
 * the group, or until a view without members comes: the group is dissolved, the handle ends, and what
 * had not left by then comes back as *undeliverable*. Events go to the process's callbacks.
 *
 * If the process is a member, the handle of its membership is returned. `out`, if not NULL, gets the
 * group's handle on ISIS_OK, else 0.
 * `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome, with the handle, as *completed* event
 * with `token`).
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process, NULL; ISIS_ENAME bad name,
 * or no group has it: try again when somebody has created it; ISIS_ETIMEDOUT it goes on, and
 * completes as an event; ISIS_EBUSY would block inside a callback: pass 0.
 */
int isis_lookup(isis_process process,
                const char *group,
                int timeout_ms,
                uint64_t token,
                isis_group *out);

/**
 * Ends the process's membership, or its watch. Sends to the group give ISIS_ENOTMEMBER from now on;
 * its events go on until the view without the process, with which the handle ends. The handle of a
 * watch ends when this completes.
 *
 * `timeout_ms`: -1 waits, 0 starts it (ISIS_PENDING; outcome as *completed* event with `token`).
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says.
 * Codes: ISIS_EINVAL bad handle; ISIS_ENOTMEMBER the membership has ended already; ISIS_ECLOSED,
 * ISIS_EEXCLUDED the process or site has; ISIS_ETIMEDOUT it goes on, and completes as an event;
 * ISIS_EBUSY would block inside a callback: pass 0.
 */
int isis_leave(isis_group group, int timeout_ms, uint64_t token);

/**
 * The process that is the member, or watches.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
 * Codes: ISIS_EINVAL, ISIS_ENOTMEMBER, ISIS_ECLOSED bad or ended handle, or NULL.
 */
int isis_group_process(isis_group group, isis_process *out);

/**
 * The instance of the group: the same at all members.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL, ISIS_ENOTMEMBER, ISIS_ECLOSED bad or ended handle, or NULL.
 */
int isis_group_get_id(isis_group group, struct isis_group_id *out);

/**
 * The group view as of the last *view* event that the process took; `*out` is NULL before the
 * first.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: `*out` is the caller's, to be
 * given to isis_group_view_free().
 * Codes: ISIS_EINVAL, ISIS_ENOTMEMBER, ISIS_ECLOSED bad or ended handle, or NULL.
 */
int isis_group_current_view(isis_group group, struct isis_group_view **out);

/**
 * BCAST(msg, label, dests) of 3.1 to the members of a group: every operational member receives it,
 * or none does; two with the same label are delivered in the same order at all common members.
 * `label` is at most 255 bytes; NULL is "".
 *
 * `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_SAFE.
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: ISIS_EINVAL bad handle, NULL with a length, unknown flag; ISIS_ENOTMEMBER the process is
 * not, or no longer, a member, and does not watch; ISIS_ECLOSED, ISIS_EEXCLUDED the process or site
 * has ended: open another; ISIS_EAGAIN no room: nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no
 * room in time: nothing was sent; ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad
 * label; ISIS_EBUSY ISIS_WAIT inside a callback: do without it.
 */
int isis_bcast(isis_group group,
               const char *label,
               const void *data,
               size_t len,
               uint32_t flags,
               struct isis_id *id);

/**
 * As isis_bcast(), with the bytes gathered from `iov_count` pieces in their order.
 *
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: as isis_bcast(); ISIS_EMSGSIZE also if the pieces' sum overflows.
 */
int isis_bcastv(isis_group group,
                const char *label,
                const struct isis_iovec *iov,
                size_t iov_count,
                uint32_t flags,
                struct isis_id *id);

/**
 * OBCAST(msg, olabel, dests) of 3.2 to the members of a group: delivered here at once, and
 * elsewhere after every OBCAST that *precedes* it. `olabel`: NULL is comparable with all others of
 * the group (causal order); a name, with those of the same stream, "x,y" with those of x and of y; a
 * site opened with `compare_olabels` compares names by that instead.
 *
 * `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_UNORDERED.
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: ISIS_EINVAL bad handle, NULL with a length, unknown flag; ISIS_ENOTMEMBER the process is
 * not, or no longer, a member, and does not watch; ISIS_ECLOSED, ISIS_EEXCLUDED the process or site
 * has ended: open another; ISIS_EAGAIN no room: nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no
 * room in time: nothing was sent; ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad
 * label, or an empty stream in it; ISIS_EBUSY ISIS_WAIT inside a callback: do without it;
 * ISIS_EPANIC the registered comparison of olabels is at fault: the site has halted.
 */
int isis_obcast(isis_group group,
                const char *olabel,
                const void *data,
                size_t len,
                uint32_t flags,
                struct isis_id *id);

/**
 * As isis_obcast(), with the bytes gathered from `iov_count` pieces in their order.
 *
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: as isis_obcast(); ISIS_EMSGSIZE also if the pieces' sum overflows.
 */
int isis_obcastv(isis_group group,
                 const char *olabel,
                 const struct isis_iovec *iov,
                 size_t iov_count,
                 uint32_t flags,
                 struct isis_id *id);

/**
 * GBCAST of 3.3 to the members of a group: ordered against every other broadcast and every view of
 * the group.
 *
 * `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT.
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: ISIS_EINVAL bad handle, NULL with a length, unknown flag; ISIS_ENOTMEMBER the process is
 * not, or no longer, a member, and does not watch; ISIS_ECLOSED, ISIS_EEXCLUDED the process or site
 * has ended: open another; ISIS_EAGAIN no room: nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no
 * room in time: nothing was sent; ISIS_EMSGSIZE over the site's `max_message`; ISIS_EBUSY
 * ISIS_WAIT inside a callback: do without it.
 */
int isis_gbcast(isis_group group,
                const void *data,
                size_t len,
                uint32_t flags,
                struct isis_id *id);

/**
 * As isis_gbcast(), with the bytes gathered from `iov_count` pieces in their order.
 *
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: as isis_gbcast(); ISIS_EMSGSIZE also if the pieces' sum overflows.
 */
int isis_gbcastv(isis_group group,
                 const struct isis_iovec *iov,
                 size_t iov_count,
                 uint32_t flags,
                 struct isis_id *id);

/**
 * BCAST of 3.1 to exactly these processes, members of a common group or not; as isis_bcast().
 * One that is named twice gets one copy.
 *
 * `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_SAFE.
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: ISIS_EINVAL bad handle, NULL with a length, empty destination list or one with a process
 * of index 0, which is its site's own, unknown flag;
 * ISIS_ECLOSED, ISIS_EEXCLUDED the process or site has ended: open another; ISIS_EAGAIN no room:
 * nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no room in time: nothing was sent;
 * ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad label; ISIS_EBUSY ISIS_WAIT inside a
 * callback: do without it.
 */
int isis_bcast_to(isis_process process,
                  const struct isis_process_id *dests,
                  size_t dest_count,
                  const char *label,
                  const void *data,
                  size_t len,
                  uint32_t flags,
                  struct isis_id *id);

/**
 * As isis_bcast_to(), with the bytes gathered from `iov_count` pieces in their order.
 *
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: as isis_bcast_to(); ISIS_EMSGSIZE also if the pieces' sum overflows.
 */
int isis_bcast_tov(isis_process process,
                   const struct isis_process_id *dests,
                   size_t dest_count,
                   const char *label,
                   const struct isis_iovec *iov,
                   size_t iov_count,
                   uint32_t flags,
                   struct isis_id *id);

/**
 * OBCAST of 3.2 to exactly these processes, members of a common group or not; as isis_obcast(). A
 * NULL `olabel` is comparable with all others sent to explicit lists.
 *
 * `id`, if not NULL, gets the broadcast's name. `flags`: 0 or ISIS_WAIT and ISIS_UNORDERED.
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: ISIS_EINVAL bad handle, NULL with a length, empty destination list or one with a process
 * of index 0, which is its site's own, unknown flag;
 * ISIS_ECLOSED, ISIS_EEXCLUDED the process or site has ended: open another; ISIS_EAGAIN no room:
 * nothing was sent, a *writable* event follows; ISIS_ETIMEDOUT no room in time: nothing was sent;
 * ISIS_EMSGSIZE over the site's `max_message`; ISIS_ENAME bad label; ISIS_EBUSY ISIS_WAIT inside a
 * callback: do without it.
 */
int isis_obcast_to(isis_process process,
                   const struct isis_process_id *dests,
                   size_t dest_count,
                   const char *olabel,
                   const void *data,
                   size_t len,
                   uint32_t flags,
                   struct isis_id *id);

/**
 * As isis_obcast_to(), with the bytes gathered from `iov_count` pieces in their order.
 *
 * Thread: any; inside a callback without ISIS_WAIT. Blocking: no, unless ISIS_WAIT. Ownership: the
 * bytes are copied.
 * Codes: as isis_obcast_to(); ISIS_EMSGSIZE also if the pieces' sum overflows.
 */
int isis_obcast_tov(isis_process process,
                    const struct isis_process_id *dests,
                    size_t dest_count,
                    const char *olabel,
                    const struct isis_iovec *iov,
                    size_t iov_count,
                    uint32_t flags,
                    struct isis_id *id);

/**
 * How far a broadcast of this process has come (the status of 4.1).
 *
 * `timeout_ms`: -1 waits, 0 only asks (ISIS_PENDING; the answer comes with a *completed* event of
 * ISIS_OP_STATUS with `token`: the callback `answered`, or isis_event_delivery_status()). `out` may
 * be NULL with 0.
 * Thread: any; inside a callback with a timeout of 0. Blocking: as `timeout_ms` says; the answer
 * takes well under a millisecond unless the machine is busy.
 * Codes: ISIS_EINVAL, ISIS_ECLOSED, ISIS_EEXCLUDED bad or ended process, NULL, an id that is no
 * broadcast of this process, struct_size unset; ISIS_EVERSION header newer than the library;
 * ISIS_ETIMEDOUT the answer comes as an event; ISIS_EBUSY would block inside a callback: pass 0.
 */
int isis_status(isis_process process,
                const struct isis_id *id,
                int timeout_ms,
                uint64_t token,
                struct isis_delivery_status *out);

/**
 * A descriptor for poll(), epoll and their like: readable while events wait to be taken
 * (level-triggered), and after isis_wakeup(). It may be readable once for nothing, when what it was
 * about has just been taken; nothing is ever lost. Never read it: isis_dispatch() and isis_next() do what is needed.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the library's, closed with the
 * process: take it out of your poll set first.
 * Result: the descriptor, or a negative code: ISIS_EINVAL, ISIS_ECLOSED bad or closed handle.
 */
int isis_fd(isis_process process);

/**
 * Takes events and calls the callbacks for them, on this thread; at most `max_events` (0: until
 * none is left).
 *
 * `timeout_ms`: how long to wait for the first one; -1 for ever, 0 not at all.
 * Thread: any, one at a time; not inside a callback. Blocking: as `timeout_ms` says.
 * Result: how many events were handled, 0 if none came in time; or a negative code: ISIS_EINVAL
 * bad handle; ISIS_ECLOSED the event *closed* has been handled, or the handle is closed: stop
 * dispatching; ISIS_EINTR isis_wakeup() or a signal handler ended the wait: call again; ISIS_EBUSY
 * inside a callback, or another thread dispatches.
 */
int isis_dispatch(isis_process process, int timeout_ms, int max_events);

/**
 * Takes the next event. From here on it is *delivered*: what the process sends may depend on it.
 *
 * `timeout_ms`: how long to wait; -1 for ever, 0 not at all.
 * Thread: any, one at a time; not inside a callback. Blocking: as `timeout_ms` says. Ownership:
 * `*out` is the caller's, to be given to isis_event_free(); NULL unless ISIS_OK.
 * Codes: ISIS_ETIMEDOUT no event came in time; ISIS_EINVAL bad handle, or NULL; ISIS_ECLOSED the
 * event *closed* has been taken, or the handle is closed: stop; ISIS_EINTR isis_wakeup() or a
 * signal handler ended the wait: call again; ISIS_EBUSY inside a callback, or another thread
 * dispatches.
 */
int isis_next(isis_process process, int timeout_ms, struct isis_event **out);

/**
 * Ends a wait: the isis_dispatch() or isis_next() that waits for this process's events, or the next
 * one that finds none, returns ISIS_EINTR. Makes isis_fd() readable until then. A ring is never
 * lost; several may count as one.
 *
 * Thread: any, also inside a callback; **async-signal-safe**: a signal handler may call it (it takes
 * no lock, allocates nothing, keeps errno and leaves isis_last_error() alone). Blocking: no.
 * Codes: ISIS_EINVAL bad or closed handle; ISIS_EFORKED in a forked child.
 */
int isis_wakeup(isis_process process);

/**
 * Sets `struct_size` and makes all callbacks NULL. NULL is allowed and does nothing.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
void isis_callbacks_init(struct isis_callbacks *callbacks);

/**
 * Gives an event back, and with it the message or view that was borrowed from it. NULL is allowed
 * and does nothing.
 *
 * Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
 */
void isis_event_free(struct isis_event *event);

/**
 * What kind of event it is: ISIS_EVENT_*. Later versions may have more kinds: ignore what you do
 * not know. 0 for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
int isis_event_kind(const struct isis_event *event);

/**
 * The process whose event it is; 0 for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
 */
isis_process isis_event_process(const struct isis_event *event);

/**
 * The group that a message was addressed to, that has a new view, or that a completed join or
 * look-up has found; else 0.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
 */
isis_group isis_event_group(const struct isis_event *event);

/**
 * The message of an ISIS_EVENT_MESSAGE; else NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the event's, valid until
 * isis_event_free(); isis_message_clone() keeps it longer.
 */
const struct isis_message *isis_event_message(const struct isis_event *event);

/**
 * The view of an ISIS_EVENT_VIEW; else NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the event's, valid until
 * isis_event_free().
 */
const struct isis_group_view *isis_event_group_view(const struct isis_event *event);

/**
 * The view of an ISIS_EVENT_SITE_VIEW or ISIS_EVENT_EXCLUDED; else NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the event's, valid until
 * isis_event_free().
 */
const struct isis_site_view *isis_event_site_view(const struct isis_event *event);

/**
 * The broadcast of an ISIS_EVENT_UNDELIVERABLE, as its send returned it; else all zero.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
void isis_event_id(const struct isis_event *event, struct isis_id *out);

/**
 * The token of an ISIS_EVENT_COMPLETED, as it was given to the operation; else 0.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
uint64_t isis_event_token(const struct isis_event *event);

/**
 * The operation of an ISIS_EVENT_COMPLETED: ISIS_OP_*; else 0.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
int isis_event_operation(const struct isis_event *event);

/**
 * How the operation of an ISIS_EVENT_COMPLETED ended: ISIS_OK or a failure's code; else ISIS_OK.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
int isis_event_status(const struct isis_event *event);

/**
 * The answer that an ISIS_EVENT_COMPLETED of ISIS_OP_STATUS brings. Set `out->struct_size`, `failed`
 * and `failed_room` before the call.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: copied into what `out` names.
 * Codes: ISIS_EINVAL NULL, an event that brings no answer, struct_size unset; ISIS_EVERSION header
 * newer than the library.
 */
int isis_event_delivery_status(const struct isis_event *event,
                               struct isis_delivery_status *out);

/**
 * Keeps a message beyond its callback or event. Counts a reference; copies no payload.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the result is the caller's,
 * to be given back to isis_message_free(); NULL gives NULL.
 */
struct isis_message *isis_message_clone(const struct isis_message *message);

/**
 * Gives a clone back. NULL is allowed and does nothing. A message borrowed in a callback or from
 * an event is not freed.
 *
 * Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
 */
void isis_message_free(struct isis_message *message);

/**
 * The application's bytes, byte for byte as sent. `len`, if not NULL, gets how many they are.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the message's, valid as long as
 * it is; never NULL for a message (also where there are 0 bytes), NULL for NULL.
 */
const void *isis_message_data(const struct isis_message *message, size_t *len);

/**
 * Copies bytes of the message from `offset` on into `buffer`, at most `size` of them: for
 * languages in which a pointer into the library is awkward.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the buffer stays the caller's.
 * Result: how many bytes were copied; 0 at the end, and if an argument is NULL.
 */
size_t isis_message_read(const struct isis_message *message,
                         size_t offset,
                         void *buffer,
                         size_t size);

/**
 * The label of a BCAST (3.1) or the stream of an OBCAST (3.2); "" where there is none.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the message's, valid as long as
 * it is; NULL for NULL only.
 */
const char *isis_message_label(const struct isis_message *message);

/**
 * Which primitive carried it: ISIS_BCAST, ISIS_OBCAST or ISIS_GBCAST; 0 for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
uint32_t isis_message_primitive(const struct isis_message *message);

/**
 * ISIS_UNORDERED if the OBCAST was sent so, else 0; 0 for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
uint32_t isis_message_flags(const struct isis_message *message);

/**
 * ID(B): what the sender's call returned (3).
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL an argument is NULL.
 */
int isis_message_id(const struct isis_message *message, struct isis_id *out);

/**
 * SENDER(B): the process that sent it (3).
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL an argument is NULL.
 */
int isis_message_sender(const struct isis_message *message, struct isis_process_id *out);

/**
 * The group it was addressed to; 0 if it went to an explicit destination list, and for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the receiving process's handle
 * of the group; nothing to give back.
 */
isis_group isis_message_group(const struct isis_message *message);

/**
 * The number of the group view in which it is delivered, at all members the same (3.3); 0 if it
 * went to an explicit destination list, and for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
uint64_t isis_message_view_number(const struct isis_message *message);

/**
 * Gives back what isis_group_current_view() gave. NULL is allowed and does nothing. A view borrowed
 * in a callback or from an event is not freed.
 *
 * Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
 */
void isis_group_view_free(struct isis_group_view *view);

/**
 * The number of the view; counts from 1 per instance of the group. 0 for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
uint64_t isis_group_view_number(const struct isis_group_view *view);

/**
 * The group's name.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const char *isis_group_view_name(const struct isis_group_view *view);

/**
 * The receiving process's handle of the group; 0 for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: nothing to give back.
 */
isis_group isis_group_view_group(const struct isis_group_view *view);

/**
 * The instance of the group: the same at all members.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 * Codes: ISIS_EINVAL an argument is NULL.
 */
int isis_group_view_id(const struct isis_group_view *view, struct isis_group_id *out);

/**
 * The members, oldest first. `count`, if not NULL, gets how many they are. The view that ends the
 * receiving process's own membership does not list it.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const struct isis_process_id *isis_group_view_members(const struct isis_group_view *view,
                                                      size_t *count);

/**
 * Those of the members that are new in this view. As isis_group_view_members().
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const struct isis_process_id *isis_group_view_joined(const struct isis_group_view *view,
                                                     size_t *count);

/**
 * Members of the view before that are not in this one, and why. Nothing from a failed one is
 * delivered after this view (3.3). As isis_group_view_members().
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const struct isis_departure *isis_group_view_left(const struct isis_group_view *view,
                                                  size_t *count);

/**
 * Gives back what isis_site_current_view() gave. NULL is allowed and does nothing. A view borrowed
 * in a callback or from an event is not freed.
 *
 * Thread: any; allowed inside a callback, and in a forked child. Blocking: no.
 */
void isis_site_view_free(struct isis_site_view *view);

/**
 * The number of the view; the first one of a cluster is number 0. 0 for NULL.
 *
 * Thread: any; allowed inside a callback. Blocking: no.
 */
uint64_t isis_site_view_number(const struct isis_site_view *view);

/**
 * The random name, 32 hexadecimal digits, of the sequence of site views that this one belongs to.
 * Views and messages of different epochs have nothing to do with each other.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const char *isis_site_view_epoch(const struct isis_site_view *view);

/**
 * The operational sites, oldest first; the first is the view manager (4.2). `count`, if not NULL,
 * gets how many they are.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const struct isis_site_id *isis_site_view_members(const struct isis_site_view *view, size_t *count);

/**
 * The address, "host:port", that the member at this place of the list advertises.
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL and for a place beyond the list.
 */
const char *isis_site_view_address(const struct isis_site_view *view, size_t place);

/**
 * Those of the members that are new in this view. As isis_site_view_members().
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const struct isis_site_id *isis_site_view_joined(const struct isis_site_view *view, size_t *count);

/**
 * Sites of the view before that are not in this one, and why. As isis_site_view_members().
 *
 * Thread: any; allowed inside a callback. Blocking: no. Ownership: the view's, valid as long as it
 * is; NULL for NULL only.
 */
const struct isis_site_departure *isis_site_view_left(const struct isis_site_view *view,
                                                      size_t *count);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ISIS_H */
