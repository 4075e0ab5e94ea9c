/* What a member of the demonstration replicates: a queue of lines and a tally of words. It knows
 * nothing of groups; member.c applies to it what the group delivers. */
#ifndef DEMO_REPLICA_H
#define DEMO_REPLICA_H

#include <stddef.h>
#include <stdio.h>

/* Some bytes of somebody's. */
typedef struct piece {
    const char *at;
    size_t len;
} piece;

/* A text: its lines and its words, both numbered from 0 through the whole text. */
typedef struct text {
    char *bytes;
    piece *lines;
    size_t line_count;
    size_t *first_word; /* of each line, and one more */
    piece *words;
    size_t word_count;
} text;

/* Reads a text; 0, or -1 with errno. */
int text_read(text *text, const char *path);
void text_free(text *text);

/* A numbered line or word. */
typedef struct item {
    size_t number;
    piece bytes;
} item;

/* Items in order of delivery, and which numbers are among them. */
typedef struct items {
    item *list;
    size_t count;
    size_t room;
    size_t joined; /* how many there were when a member last joined */
    unsigned char *in;
    size_t numbers;
} items;

typedef struct replica {
    items queue; /* of lines */
    items words;
    struct tally *tally;
} replica;

void replica_init(replica *replica, const text *text);
void replica_free(replica *replica);

/* A delivered line or word, "<number> <bytes>"; it is copied. */
void replica_line(replica *replica, piece payload);
void replica_word(replica *replica, piece payload);

/* A member has joined: the second digests begin. */
void replica_joined(replica *replica);

/* Writes which numbers from `from` to `to` are in, as "0-17,20-40" (ends excluded), "-" if none. */
void items_write_ranges(const items *items, size_t from, size_t to, char *out, size_t room);

/* Sets flags[n - from] for the numbers n that such a text names. */
void ranges_read(const char *ranges, unsigned char *flags, size_t from, size_t to);

/* The digests, as the verdict computes them. */
typedef struct digests {
    unsigned long long queue, tally, queue_since, tally_since;
} digests;
digests replica_digests(const replica *replica);

/* Writes <base>.queue, <base>.words and <base>.tally; 0, or -1 with errno. */
int replica_write(const replica *replica, const char *base);

#endif
