/* codec/tarhead.c - what stands before a member's bytes in a tar of our own: ustar, and pax where that says too little. */
#include "codec/tarhead.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"

#define OCTAL_MAX_BYTES ((UINT64_C(1) << 33) - 1)              /* of a file, as ustar can say */
#define COMMENT         " comment="
#define PAX_MAX_BYTES   (1u << 20)                             /* what the strictest reader (Go's) takes */

struct ustar {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
        user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct ustar) == MLR_TAR_BLOCK_BYTES, "one block");

uint64_t mlr_tarhead_fill(uint64_t bytes)
{
    return (MLR_TAR_BLOCK_BYTES - bytes % MLR_TAR_BLOCK_BYTES) % MLR_TAR_BLOCK_BYTES;
}

/* ---- ustar ---- */

static void octal(char *field, size_t room, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%0*llo", (int)room - 1, (unsigned long long)value);
    memcpy(field, text, room - 1);                             /* the zero behind it is there */
}

/* What does not fit is cut; a pax record has it whole then. */
static void put_text(char *field, size_t room, const char *text, size_t len)
{
    memcpy(field, text, len < room ? len : room);
}

static void seal(struct ustar *h)
{
    const uint8_t *bytes = (const uint8_t *)h;
    unsigned sum = 0;

    memset(h->checksum, ' ', sizeof h->checksum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += bytes[i];
    octal(h->checksum, 7, sum);
    h->checksum[6] = '\0';
}

static void common(struct ustar *h, char type, uint64_t bytes, unsigned mode, int64_t mtime_s)
{
    memset(h, 0, sizeof *h);
    octal(h->mode, sizeof h->mode, mode & 07777);
    octal(h->uid, sizeof h->uid, 0);
    octal(h->gid, sizeof h->gid, 0);
    octal(h->size, sizeof h->size, bytes);
    octal(h->mtime, sizeof h->mtime, (uint64_t)mtime_s);
    octal(h->major, sizeof h->major, 0);
    octal(h->minor, sizeof h->minor, 0);
    memcpy(h->magic, "ustar", sizeof h->magic);
    memcpy(h->version, "00", sizeof h->version);
    h->type = type;
}

static char type_of(mlr_member_kind kind)
{
    return kind == MLR_MEMBER_DIR ? '5' : kind == MLR_MEMBER_SYMLINK ? '2' : '0';
}

static int put_ustar(const mlr_member *m, const char *name, mlr_buf *out, mlreg_error **err)
{
    struct ustar h;

    common(&h, type_of(m->kind), m->bytes <= OCTAL_MAX_BYTES ? m->bytes : 0, m->mode, m->mtime_s);
    put_text(h.name, sizeof h.name, name, strlen(name));
    if (m->link != NULL)
        put_text(h.link, sizeof h.link, m->link, strlen(m->link));
    seal(&h);
    return mlr_buf_add(out, &h, sizeof h, err);
}

/* ---- pax ---- */

static size_t digits(size_t n)
{
    size_t k = 1;

    while (n >= 10) {
        n /= 10;
        k++;
    }
    return k;
}

/* "<length of all of it> key=value\n" */
static int put_record(mlr_buf *out, const char *key, const char *value, mlreg_error **err)
{
    size_t rest = 1 + strlen(key) + 1 + strlen(value) + 1, all = rest + digits(rest);

    if (rest + digits(all) != all)
        all = rest + digits(all);
    return mlr_buf_printf(out, err, "%zu %s=%s\n", all, key, value);
}

/* Every reader passes over a comment, whatever its length. */
static int put_comment(mlr_buf *out, size_t all, mlreg_error **err)
{
    size_t blanks = all - digits(all) - strlen(COMMENT) - 1;
    int rc;

    if ((rc = mlr_buf_reserve(out, all, err)) == 0)
        rc = mlr_buf_printf(out, err, "%zu" COMMENT "%*s\n", all, (int)blanks, "");
    return rc;
}

static bool fits(const char *text, size_t room)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)                         /* ustar does not say in which encoding */
            return false;
    return strlen(text) <= room;
}

static int put_records(const mlr_member *m, const char *name, mlr_buf *out, mlreg_error **err)
{
    char text[24];
    int rc = 0;

    if (!fits(name, sizeof ((struct ustar *)0)->name))
        rc = put_record(out, "path", name, err);
    if (rc == 0 && m->link != NULL && !fits(m->link, sizeof ((struct ustar *)0)->link))
        rc = put_record(out, "linkpath", m->link, err);
    if (rc == 0 && m->bytes > OCTAL_MAX_BYTES) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)m->bytes);
        rc = put_record(out, "size", text, err);
    }
    return rc;
}

/* How much longer a pax header with so many blocks of records must be for the data behind all headers to begin at a page. */
static size_t more_blocks(uint64_t at, size_t blocks)
{
    uint64_t headers = (blocks > 0 ? 2 : 1) + blocks, end = at / MLR_TAR_BLOCK_BYTES + headers;
    const unsigned page = MLR_TAR_PAGE_BYTES / MLR_TAR_BLOCK_BYTES;
    size_t more = (size_t)((page - end % page) % page);

    if (blocks > 0 || more == 0)
        return more;
    return more > 1 ? more - 1 : page;                         /* the pax header itself takes one of them */
}

static int pad(uint64_t at, mlr_buf *records, mlreg_error **err)
{
    size_t blocks = (records->len + MLR_TAR_BLOCK_BYTES - 1) / MLR_TAR_BLOCK_BYTES, more = more_blocks(at, blocks);

    return more == 0 ? 0 : put_comment(records, (blocks + more) * MLR_TAR_BLOCK_BYTES - records->len, err);
}

static int put_pax(const mlr_member *m, const mlr_buf *records, mlr_buf *out, mlreg_error **err)
{
    static const char zeros[MLR_TAR_BLOCK_BYTES];
    struct ustar h;
    int rc;

    if (records->len == 0)
        return 0;
    common(&h, 'x', records->len, 0644, m->mtime_s);
    put_text(h.name, sizeof h.name, "PaxHeader", strlen("PaxHeader"));
    seal(&h);
    if ((rc = mlr_buf_add(out, &h, sizeof h, err)) < 0 || (rc = mlr_buf_add(out, records->data, records->len, err)) < 0)
        return rc;
    return mlr_buf_add(out, zeros, (size_t)mlr_tarhead_fill(records->len), err);
}

/* ---- both ---- */

int mlr_tarhead_put(const mlr_member *m, uint64_t at, bool aligned, mlr_buf *out, mlreg_error **err)
{
    mlr_buf name = MLR_BUF_INIT(PAX_MAX_BYTES), records = MLR_BUF_INIT(PAX_MAX_BYTES);
    int rc;

    if ((rc = mlr_buf_printf(&name, err, "%s%s", m->name, m->kind == MLR_MEMBER_DIR ? "/" : "")) == 0 &&
        (rc = put_records(m, name.data, &records, err)) == 0 && (!aligned || (rc = pad(at, &records, err)) == 0) &&
        (rc = put_pax(m, &records, out, err)) == 0)
        rc = put_ustar(m, name.data, out, err);
    mlr_buf_done(&name);
    mlr_buf_done(&records);
    return rc;
}
