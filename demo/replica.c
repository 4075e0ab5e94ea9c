#include "replica.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A demonstration that is out of memory has nothing better to do than to end. */
static void *must(void *memory)
{
    if (memory == NULL) {
        perror("memory");
        exit(1);
    }
    return memory;
}

static piece copy_of(piece original)
{
    char *bytes = must(malloc(original.len + 1));
    memcpy(bytes, original.at, original.len);
    bytes[original.len] = '\0';
    original.at = bytes;
    return original;
}

/* --- the text --- */

static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    size_t room = 0, got;
    *len = 0;
    if (file == NULL)
        return NULL;
    do {
        room = room == 0 ? 1 << 16 : room * 2;
        bytes = must(realloc(bytes, room));
        got = fread(bytes + *len, 1, room - *len, file);
        *len += got;
    } while (got > 0);
    fclose(file);
    return bytes;
}

static void split_words(text *text, piece line)
{
    size_t i = 0, begin;
    while (i < line.len) {
        while (i < line.len && isspace((unsigned char)line.at[i]))
            i++;
        begin = i;
        while (i < line.len && !isspace((unsigned char)line.at[i]))
            i++;
        if (i > begin) {
            text->words[text->word_count].at = line.at + begin;
            text->words[text->word_count++].len = i - begin;
        }
    }
}

int text_read(text *text, const char *path)
{
    size_t len, begin = 0, i;
    memset(text, 0, sizeof *text);
    text->bytes = read_file(path, &len);
    if (text->bytes == NULL)
        return -1;
    /* Each line needs a byte and each word too: no text has more of either. */
    text->lines = must(malloc((len + 1) * sizeof *text->lines));
    text->words = must(malloc((len + 1) * sizeof *text->words));
    text->first_word = must(malloc((len + 2) * sizeof *text->first_word));
    for (i = 0; i <= len; i++) {
        if (i < len ? text->bytes[i] == '\n' : begin < len) {
            piece line;
            line.at = text->bytes + begin;
            line.len = i - begin;
            text->lines[text->line_count] = line;
            text->first_word[text->line_count++] = text->word_count;
            split_words(text, line);
            begin = i + 1;
        }
    }
    text->first_word[text->line_count] = text->word_count;
    return 0;
}

void text_free(text *text)
{
    free(text->bytes);
    free(text->lines);
    free(text->words);
    free(text->first_word);
}

/* --- digests: see digest.rs --- */

static uint64_t chain(uint64_t digest, uint64_t value)
{
    return digest * UINT64_C(6364136223846793005) + value + 1;
}

static uint32_t crc32(piece bytes)
{
    uint32_t crc = UINT32_MAX;
    size_t i;
    int bit;
    for (i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.at[i];
        for (bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (UINT32_C(0xEDB88320) & (0 - (crc & 1)));
    }
    return ~crc;
}

/* --- the tally: a hash table, as open as they come --- */

typedef struct count {
    piece word;
    size_t count;
} count;

typedef struct tally {
    count *slots;
    size_t room; /* a power of two */
    size_t used;
} tally;

static tally *tally_new(void)
{
    tally *tally = must(malloc(sizeof *tally));
    tally->room = 1024;
    tally->used = 0;
    tally->slots = must(calloc(tally->room, sizeof *tally->slots));
    return tally;
}

static void tally_free(tally *tally)
{
    size_t i;
    for (i = 0; i < tally->room; i++)
        free((char *)tally->slots[i].word.at);
    free(tally->slots);
    free(tally);
}

static count *tally_slot(tally *tally, piece word)
{
    size_t i = crc32(word) & (tally->room - 1);
    while (tally->slots[i].word.at != NULL
           && (tally->slots[i].word.len != word.len
               || memcmp(tally->slots[i].word.at, word.at, word.len) != 0))
        i = (i + 1) & (tally->room - 1);
    return &tally->slots[i];
}

static void tally_grow(tally *tally)
{
    count *old = tally->slots;
    size_t old_room = tally->room, i;
    tally->room *= 2;
    tally->slots = must(calloc(tally->room, sizeof *tally->slots));
    for (i = 0; i < old_room; i++)
        if (old[i].word.at != NULL)
            *tally_slot(tally, old[i].word) = old[i];
    free(old);
}

static void tally_add(tally *tally, piece word)
{
    count *slot = tally_slot(tally, word);
    if (slot->word.at == NULL) {
        slot->word = copy_of(word);
        if (++tally->used * 2 > tally->room) {
            tally_grow(tally);
            slot = tally_slot(tally, word);
        }
    }
    slot->count++;
}

static int by_bytes(const void *a, const void *b)
{
    const piece *x = &((const count *)a)->word, *y = &((const count *)b)->word;
    int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* The counts in the order of the words' bytes; to be freed, the words not. */
static count *tally_sorted(const tally *tally)
{
    count *sorted = must(malloc((tally->used + 1) * sizeof *sorted));
    size_t i, n = 0;
    for (i = 0; i < tally->room; i++)
        if (tally->slots[i].word.at != NULL)
            sorted[n++] = tally->slots[i];
    qsort(sorted, n, sizeof *sorted, by_bytes);
    return sorted;
}

static uint64_t tally_digest(const tally *tally)
{
    count *sorted = tally_sorted(tally);
    uint64_t digest = 0;
    size_t i;
    for (i = 0; i < tally->used; i++)
        digest = chain(chain(digest, crc32(sorted[i].word)), sorted[i].count);
    free(sorted);
    return digest;
}

/* --- the replica --- */

static void items_init(items *items, size_t numbers)
{
    memset(items, 0, sizeof *items);
    items->in = must(calloc(numbers + 1, 1));
    items->numbers = numbers;
}

static void items_free(items *items)
{
    size_t i;
    for (i = 0; i < items->count; i++)
        free((char *)items->list[i].bytes.at);
    free(items->list);
    free(items->in);
}

static piece items_add(items *items, piece payload)
{
    char *end;
    item *item;
    piece copy = copy_of(payload);
    if (items->count == items->room) {
        items->room = items->room == 0 ? 1024 : items->room * 2;
        items->list = must(realloc(items->list, items->room * sizeof *items->list));
    }
    item = &items->list[items->count++];
    item->number = strtoul(copy.at, &end, 10);
    item->bytes.len = copy.len - (size_t)(end + 1 - copy.at);
    memmove((char *)copy.at, end + 1, item->bytes.len);
    item->bytes.at = copy.at;
    if (item->number < items->numbers)
        items->in[item->number] = 1;
    return item->bytes;
}

void replica_init(replica *replica, const text *text)
{
    items_init(&replica->queue, text->line_count);
    items_init(&replica->words, text->word_count);
    replica->tally = tally_new();
}

void replica_free(replica *replica)
{
    items_free(&replica->queue);
    items_free(&replica->words);
    tally_free(replica->tally);
}

void replica_line(replica *replica, piece payload)
{
    items_add(&replica->queue, payload);
}

void replica_word(replica *replica, piece payload)
{
    tally_add(replica->tally, items_add(&replica->words, payload));
}

void replica_joined(replica *replica)
{
    replica->queue.joined = replica->queue.count;
    replica->words.joined = replica->words.count;
}

void items_write_ranges(const items *items, size_t from, size_t to, char *out, size_t room)
{
    size_t n = from, begin, used = 0;
    snprintf(out, room, "-");
    while (n < to) {
        while (n < to && !items->in[n])
            n++;
        begin = n;
        while (n < to && items->in[n])
            n++;
        if (n > begin && used < room)
            used += (size_t)snprintf(out + used, room - used, "%s%lu-%lu", used ? "," : "",
                                     (unsigned long)begin, (unsigned long)n);
    }
}

void ranges_read(const char *ranges, unsigned char *flags, size_t from, size_t to)
{
    unsigned long begin, end;
    int used;
    while (sscanf(ranges, "%lu-%lu%n", &begin, &end, &used) == 2) {
        for (; begin < end; begin++)
            if (begin >= from && begin < to)
                flags[begin - from] = 1;
        ranges += used + (ranges[used] == ',');
    }
}

static uint64_t queue_digest(const items *queue, size_t from)
{
    uint64_t digest = 0;
    size_t i;
    for (i = from; i < queue->count; i++)
        digest = chain(chain(digest, queue->list[i].number), crc32(queue->list[i].bytes));
    return digest;
}

digests replica_digests(const replica *replica)
{
    digests digests;
    tally *since = tally_new();
    size_t i;
    for (i = replica->words.joined; i < replica->words.count; i++)
        tally_add(since, replica->words.list[i].bytes);
    digests.queue = queue_digest(&replica->queue, 0);
    digests.queue_since = queue_digest(&replica->queue, replica->queue.joined);
    digests.tally = tally_digest(replica->tally);
    digests.tally_since = tally_digest(since);
    tally_free(since);
    return digests;
}

static FILE *create(const char *base, const char *extension)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", base, extension);
    return fopen(path, "wb");
}

static void write_item(FILE *file, size_t number, piece bytes)
{
    fprintf(file, "%lu ", (unsigned long)number);
    fwrite(bytes.at, 1, bytes.len, file);
    putc('\n', file);
}

static int write_items(const items *items, const char *base, const char *extension)
{
    FILE *file = create(base, extension);
    size_t i;
    if (file == NULL)
        return -1;
    for (i = 0; i < items->count; i++)
        write_item(file, items->list[i].number, items->list[i].bytes);
    return fclose(file);
}

static int write_tally(const tally *tally, const char *base)
{
    FILE *file = create(base, "tally");
    count *sorted;
    size_t i;
    if (file == NULL)
        return -1;
    sorted = tally_sorted(tally);
    for (i = 0; i < tally->used; i++)
        write_item(file, sorted[i].count, sorted[i].word);
    free(sorted);
    return fclose(file);
}

int replica_write(const replica *replica, const char *base)
{
    return write_items(&replica->queue, base, "queue") == 0
                   && write_items(&replica->words, base, "words") == 0
                   && write_tally(replica->tally, base) == 0
               ? 0
               : -1;
}
