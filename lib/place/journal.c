/* place/journal.c - what of a file in the making is there, written down so that another process can go on with it. */
#include "place/journal.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/xxh.h"

#define MAGIC       "mlrpart2"
#define MAGIC_BYTES 8
#define PAYLOAD_AT  8
#define SUM_AT      (MLR_JOURNAL_RECORD_BYTES - 8)
#define BOOT_FILE   "/proc/sys/kernel/random/boot_id"
#define BOOT_TEXT   36

enum kind { HEAD = 'H', SLAB = 'S', STATE = 'M', LOOK = 'L' };

typedef struct record { uint8_t bytes[MLR_JOURNAL_RECORD_BYTES]; } record;

static void put64(record *r, size_t at, uint64_t v)
{
    for (size_t i = 0; i < 8; i++)
        r->bytes[PAYLOAD_AT + at + i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get64(const record *r, size_t at)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++)
        v |= (uint64_t)r->bytes[PAYLOAD_AT + at + i] << (8 * i);
    return v;
}

/* ---- what is written ---- */

/* As "0123abcd-…": its 32 digits as 16 bytes are a name like any other. */
static void read_boot(uint8_t out[16])
{
    mlr_buf text = MLR_BUF_INIT(256);

    memset(out, 0, 16);
    if (mlr_fs_read_file(BOOT_FILE, &text, NULL) == 0 && text.len >= BOOT_TEXT) {
        uint64_t halves[2] = { mlr_xxh3(text.data, BOOT_TEXT / 2), mlr_xxh3(text.data + BOOT_TEXT / 2, BOOT_TEXT / 2) };
        memcpy(out, halves, 16);
    }
    mlr_buf_done(&text);
}

void mlr_journal_head_of(const mlr_digest *d, uint64_t bytes, const struct stat *file, mlr_journal_head *out)
{
    memset(out, 0, sizeof *out);
    out->digest = *d;
    out->bytes = bytes;
    out->dev = file->st_dev;
    out->ino = file->st_ino;
    read_boot(out->boot);
}

void mlr_journal_look_of(const struct stat *file, mlr_journal_look *out)
{
    *out = (mlr_journal_look){ (uint64_t)file->st_size, (uint64_t)file->st_mtim.tv_sec, (uint64_t)file->st_mtim.tv_nsec,
                               (uint64_t)file->st_ctim.tv_sec, (uint64_t)file->st_ctim.tv_nsec };
}

static int add(int fd, uint64_t *at, enum kind kind, record *r, const char *name, mlreg_error **err)
{
    int rc;

    r->bytes[0] = (uint8_t)kind;
    put64(r, SUM_AT - PAYLOAD_AT, mlr_xxh3(r->bytes, SUM_AT));
    if ((rc = mlr_fs_write_at(fd, *at, r->bytes, sizeof r->bytes, name, err)) == 0)
        *at += sizeof r->bytes;
    return rc;
}

int mlr_journal_add_head(int fd, uint64_t *at, const mlr_journal_head *h, const char *name, mlreg_error **err)
{
    record r = { { 0 } };

    memcpy(r.bytes + PAYLOAD_AT, MAGIC, MAGIC_BYTES);
    memcpy(r.bytes + PAYLOAD_AT + 8, mlr_digest_hex(&h->digest), MLR_DIGEST_HEX);
    put64(&r, 72, h->bytes);
    put64(&r, 80, h->dev);
    put64(&r, 88, h->ino);
    memcpy(r.bytes + PAYLOAD_AT + 96, h->boot, sizeof h->boot);
    return add(fd, at, HEAD, &r, name, err);
}

int mlr_journal_add_slab(int fd, uint64_t *at, const mlr_journal_slab *s, const char *name, mlreg_error **err)
{
    record r = { { 0 } };

    put64(&r, 0, s->i);
    put64(&r, 8, s->sum);
    put64(&r, 16, s->there);
    return add(fd, at, SLAB, &r, name, err);
}

int mlr_journal_add_state(int fd, uint64_t *at, const mlr_sha256 *s, const char *name, mlreg_error **err)
{
    record r = { { 0 } };

    mlr_sha256_save(s, r.bytes + PAYLOAD_AT);
    return add(fd, at, STATE, &r, name, err);
}

int mlr_journal_add_look(int fd, uint64_t *at, const mlr_journal_look *l, const char *name, mlreg_error **err)
{
    record r = { { 0 } };

    put64(&r, 0, l->bytes);
    put64(&r, 8, l->mtime_s);
    put64(&r, 16, l->mtime_ns);
    put64(&r, 24, l->ctime_s);
    put64(&r, 32, l->ctime_ns);
    return add(fd, at, LOOK, &r, name, err);
}

/* ---- what is read ---- */

/* 1: a record; 0: the end, or what is none. */
static int read_record(int fd, uint64_t at, record *r, const char *name, mlreg_error **err)
{
    int64_t n = mlr_fs_read_at(fd, at, r->bytes, sizeof r->bytes, name, err);

    if (n < 0)
        return (int)n;
    return n == (int64_t)sizeof r->bytes && get64(r, SUM_AT - PAYLOAD_AT) == mlr_xxh3(r->bytes, SUM_AT);
}

static bool read_head(const record *r, mlr_journal_head *out)
{
    char text[MLR_DIGEST_TEXT + 1] = "sha256:";

    memcpy(text + strlen(text), r->bytes + PAYLOAD_AT + 8, MLR_DIGEST_HEX);
    if (r->bytes[0] != HEAD || memcmp(r->bytes + PAYLOAD_AT, MAGIC, MAGIC_BYTES) != 0 ||
        mlr_digest_parse(text, &out->digest, NULL) < 0)
        return false;
    out->bytes = get64(r, 72);
    out->dev = get64(r, 80);
    out->ino = get64(r, 88);
    memcpy(out->boot, r->bytes + PAYLOAD_AT + 96, sizeof out->boot);
    return true;
}

static void take_in(const record *r, mlr_journal_said *said)
{
    uint64_t i = get64(r, 0);

    said->ended = r->bytes[0] == LOOK;
    if (said->ended)
        said->look = (mlr_journal_look){ get64(r, 0), get64(r, 8), get64(r, 16), get64(r, 24), get64(r, 32) };
    if (r->bytes[0] != SLAB || i >= said->n)
        return;
    said->sums[i] = get64(r, 8);
    said->there[i] = (uint32_t)get64(r, 16);
}

void mlr_journal_said_done(mlr_journal_said *said)
{
    mlr_free(said->sums);
    mlr_free(said->there);
    *said = (mlr_journal_said){ .n = 0 };
}

int mlr_journal_read(int fd, size_t n, mlr_journal_said *out, const char *name, mlreg_error **err)
{
    mlr_journal_said said = { .n = n };
    record           r;
    uint64_t         at = sizeof r.bytes;
    int              rc = read_record(fd, 0, &r, name, err);

    if (rc < 1 || !read_head(&r, &said.head))
        return rc < 0 ? rc : 0;
    said.sums = mlr_alloc_array(n, sizeof *said.sums);
    said.there = mlr_alloc_array(n, sizeof *said.there);
    rc = said.sums != NULL && said.there != NULL ? 0 : mlr_error_nomem(err);
    while (rc == 0 && (rc = read_record(fd, at, &r, name, err)) == 1) {
        take_in(&r, &said);
        at += sizeof r.bytes;
        rc = 0;
    }
    if (rc < 0)
        mlr_journal_said_done(&said);
    else
        *out = said;
    return rc < 0 ? rc : 1;
}

int mlr_journal_state(int fd, uint64_t bytes, mlr_sha256 *out, const char *name, mlreg_error **err)
{
    record r;
    int    found = 0, rc;

    for (uint64_t at = 0; (rc = read_record(fd, at, &r, name, err)) == 1; at += sizeof r.bytes) {
        mlr_sha256 s;

        if (r.bytes[0] != STATE || !mlr_sha256_restore(&s, r.bytes + PAYLOAD_AT) || s.bytes > bytes)
            continue;
        *out = s;
        found = 1;
    }
    return rc < 0 ? rc : found;
}
