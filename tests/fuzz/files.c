/* fuzz/files.c - targets: weights, archives, credentials, and what the library itself left on a disk that then went bad. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/archive.h"
#include "codec/gguf.h"
#include "codec/safetensors.h"
#include "codec/tarfile.h"
#include "fuzz.h"
#include "model/below.h"
#include "model/facts.h"
#include "net/creds.h"
#include "net/creds_config.h"
#include "place/journal.h"

static mlr_reader *reader_of(const uint8_t *data, size_t len)
{
    mlr_reader *r = NULL;

    FUZZ_HOLDS(mlr_reader_from_memory(data, len, "fuzz", &r, NULL) == 0);
    return r;
}

typedef int (*read_tensors_fn)(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err);

static void tensors(read_tensors_fn read, const uint8_t *data, size_t len)
{
    mlr_reader  *r = reader_of(data, len);
    mlr_tensors *t = NULL;
    uint64_t     n;

    if (read(r, NULL, &t, NULL) == 0)
        for (size_t i = 0; i < mlr_tensors_count(t); i++) {
            const mlr_tensor *x = mlr_tensors_at(t, i);

            FUZZ_HOLDS(x->begin <= x->end && x->end <= len && x->name != NULL && x->rank <= MLR_TENSOR_MAX_RANK);
            (void)mlr_tensor_elements(x, &n);
        }
    mlr_tensors_free(t);
    mlr_reader_free(r);
}

static void gguf(const uint8_t *data, size_t len)
{
    tensors(mlr_gguf_read, data, len);
}

static void safetensors(const uint8_t *data, size_t len)
{
    tensors(mlr_safetensors_read, data, len);
}

/* The first byte says what the file is called. */
static void facts(const uint8_t *data, size_t len)
{
    static const char *const names[] = { "config.json", "README.md", "model.safetensors", "model.gguf" };
    mlr_facts                f = { 0 };
    mlr_reader              *r;
    char                     text[32];

    if (len == 0)
        return;
    r = reader_of(data + 1, len - 1);
    if (mlr_facts_read(names[data[0] % 4], r, NULL, &f, NULL) == 0) {
        (void)mlr_facts_param_size(&f, text);
        (void)mlr_facts_precision(&f, text);
        (void)mlr_facts_quantization(&f, text);
        mlr_facts_done(&f);
    }
    mlr_reader_free(r);
}

static void archive(const uint8_t *data, size_t len)
{
    const mlr_archive_limits limits = { .bytes = 4 << 20, .members = 1000 };
    mlr_reader              *r = reader_of(data, len);
    mlr_archive             *a = NULL;
    mlr_member               m;
    char                     buf[4096];
    uint64_t                 total = 0;
    int64_t                  n;

    if (mlr_archive_open(r, &limits, NULL, &a, NULL) == 0)
        while (mlr_archive_next(a, &m, NULL) == 1) {
            FUZZ_HOLDS(m.name != NULL && (m.mode & ~07777u) == 0);
            while ((n = mlr_archive_read(a, buf, sizeof buf, NULL)) > 0)
                total += (uint64_t)n;
            FUZZ_HOLDS(total <= limits.bytes);
            if (n < 0)
                break;
        }
    mlr_archive_free(a);
    mlr_reader_free(r);
}

static void tarfile(const uint8_t *data, size_t len)
{
    mlr_reader *r = reader_of(data, len);
    uint64_t    offset, bytes;

    if (mlr_tarfile_find(r, NULL, &offset, &bytes, NULL) == 0)
        FUZZ_HOLDS(offset <= len && bytes <= len - offset);
    mlr_reader_free(r);
}

/* A file with these bytes, without a name. */
static int file_of(const uint8_t *data, size_t len)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_HOLDS(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    return fd;
}

static void journal(const uint8_t *data, size_t len)
{
    int              fd = file_of(data, len);
    mlr_journal_said said;
    mlr_sha256       state;

    if (mlr_journal_read(fd, 100, &said, "journal", NULL) == 1) {
        FUZZ_HOLDS(said.n <= 100);
        mlr_journal_said_done(&said);
    }
    if (mlr_journal_state(fd, 1 << 20, &state, "journal", NULL) == 1)
        FUZZ_HOLDS(state.bytes <= 1 << 20);
    close(fd);
}

static void creds(const uint8_t *data, size_t len)
{
    int              fd = file_of(data, len), rc;
    char             path[64];
    const char      *why = NULL, *helper = NULL;
    mlr_creds_config c = { 0 };
    mlr_creds        found = { 0 };

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if ((rc = mlr_creds_config_open(&c, path, len % 2, &why, NULL)) == 1) {
        (void)mlr_creds_config_helper(&c, "r.example", &helper, NULL);
        (void)mlr_creds_config_tells_paths(&c, "r.example");
        if (mlr_creds_config_find(&c, "r.example", "team/x", &found, NULL) == 1)
            FUZZ_HOLDS(found.kind == MLR_CREDS_NONE || found.secret != NULL);
        mlr_creds_done(&found);
        mlr_creds_config_close(&c);
    }
    FUZZ_HOLDS(rc != 0 || why != NULL);
    close(fd);
}

/* Remembered layers of a base, one over the other, and what a new one may put there. */
static void below(const uint8_t *data, size_t len)
{
    static const char *const names[] = { "a", "usr/lib/x", "lib/x", "etc", "l/l/l", "a/b/c/d" };
    mlr_listing              l = { MLR_BUF_INIT(1 << 20), true };
    mlr_below               *b = NULL;
    mlr_below_found          found;

    FUZZ_HOLDS(mlr_below_new(&b, NULL) == 0 && mlr_buf_add(&l.bytes, data, len, NULL) == 0);
    for (int i = 0; i < 2; i++)
        FUZZ_HOLDS(mlr_below_lay(b, &l, NULL, NULL) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int kind = MLR_MEMBER_FILE; kind <= MLR_MEMBER_OTHER; kind++)
            if (mlr_below_look(b, names[i], (mlr_member_kind)kind, &found) >= MLR_BELOW_LINK)
                FUZZ_HOLDS(found.len <= strlen(names[i]) && (found.kind != MLR_MEMBER_SYMLINK || found.link != NULL));
    mlr_below_free(b);
    mlr_listing_done(&l);
}

const fuzz_target fuzz_files[] = {
    { "gguf", gguf }, { "safetensors", safetensors }, { "facts", facts }, { "archive", archive }, { "tarfile", tarfile },
    { "journal", journal }, { "creds", creds }, { "below", below }, { NULL, NULL },
};
