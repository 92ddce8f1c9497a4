/* net/hostfacts.c - what is known about a registry: ways of uploading and asking that it refuses, and how large a layer may be. */
#include "net/hostfacts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/private.h"
#include "codec/xxh.h"

#define MAGIC       UINT64_C(0x315354434146474c) /* "LGFACTS1", in the order of bytes of the machine that wrote it */
#define N_BITS      8
#define DAY_S       86400
#define KEPT_S      (30 * DAY_S)
#define GIB         (UINT64_C(1) << 30)

/* ---- the table ---- */

struct known {
    char     host[12];           /* "." in front: and all below it */
    uint32_t bits;
    uint64_t max_layer;
};

/* What their documents say, or many have met. */
static const struct known known_hosts[] = {
    {"ghcr.io", MLR_FACT_NO_STREAMED_PATCH, 10 * GIB},      /* PATCH of over 4 MiB: 416 */
    {"gcr.io", MLR_FACT_NO_STREAMED_PATCH, 0},              /* monolithic uploads alone */
    {".gcr.io", MLR_FACT_NO_STREAMED_PATCH, 0},
    {".pkg.dev", MLR_FACT_NO_STREAMED_PATCH, 0},
    {".azurecr.io", 0, 200 * GIB},
};

static bool is_host(const struct known *k, const char *host)
{
    size_t len = strlen(host), end = strlen(k->host);

    return k->host[0] != '.' ? strcmp(k->host, host) == 0 : len > end && strcmp(host + len - end, k->host) == 0;
}

static void begin_with_known(mlr_hostfacts *f, const char *host)
{
    for (size_t i = 0; i < sizeof known_hosts / sizeof known_hosts[0]; i++)
        if (is_host(&known_hosts[i], host)) {
            f->bits = known_hosts[i].bits;
            f->max_layer = known_hosts[i].max_layer;
        }
}

/* ---- notes ---- */

struct notes {
    uint64_t magic, origin;
    int64_t learnt_s[N_BITS], forgot_s[N_BITS];  /* by bit; 0: never. The later one counts */
    uint64_t max_layer;
    int64_t max_layer_s;
    uint64_t check;                              /* XXH3 of all before it */
};

static uint64_t check_of(const struct notes *n)
{
    return mlr_xxh3(n, offsetof(struct notes, check));
}

static bool is_recent(int64_t s, int64_t now_s, int64_t kept_s)
{
    return s > 0 && s <= now_s && now_s - s < kept_s;
}

/* What is not ours, whole and of this origin is as good as nothing. */
static void read_notes(const mlr_hostfacts *f, struct notes *n)
{
    int fd;

    if (mlr_private_open(f->dir, f->name, false, &fd, NULL) < 0 ||
        mlr_fs_read_at(fd, 0, n, sizeof *n, f->name, NULL) != (int64_t)sizeof *n || n->magic != MAGIC ||
        n->origin != f->origin || n->check != check_of(n))
        *n = (struct notes){.magic = MAGIC, .origin = f->origin};
    mlr_fs_close(fd);
}

static void write_notes(const mlr_hostfacts *f, struct notes *n)
{
    char *path = mlr_path_join(f->dir, f->name);

    n->check = check_of(n);
    if (path != NULL && mlr_private_make(f->dir, NULL) == 0)
        mlr_fs_write_file(path, n, sizeof *n, 0600, NULL);
    mlr_free(path);
}

static void note_bits(const mlr_hostfacts *f, uint32_t facts, bool learnt)
{
    struct notes n;

    if (f->name == NULL)
        return;
    read_notes(f, &n);
    for (unsigned i = 0; i < N_BITS; i++)
        if (facts & 1u << i) {
            n.learnt_s[i] = learnt ? mlr_clock_wall_ms() / 1000 : 0;
            n.forgot_s[i] = learnt ? 0 : mlr_clock_wall_ms() / 1000;
        }
    write_notes(f, &n);
}

static void take_notes(mlr_hostfacts *f)
{
    int64_t now_s = mlr_clock_wall_ms() / 1000;
    struct notes n;

    read_notes(f, &n);
    for (unsigned i = 0; i < N_BITS; i++)
        if (is_recent(n.learnt_s[i], now_s, KEPT_S))
            f->bits |= 1u << i;
        else if (is_recent(n.forgot_s[i], now_s, KEPT_S))
            f->bits &= ~(1u << i);
    if (n.max_layer > 0 && is_recent(n.max_layer_s, now_s, DAY_S) && (f->max_layer == 0 || n.max_layer < f->max_layer))
        f->max_layer = n.max_layer;
}

void mlr_hostfacts_open(mlr_hostfacts *f, const mlr_url *origin, const char *dir)
{
    char *text;

    *f = (mlr_hostfacts){0};
    begin_with_known(f, origin->host);
    if (mlr_url_is_loopback(origin))
        return;
    f->dir = dir != NULL ? mlr_strdup(dir) : mlr_private_dir("XDG_STATE_HOME", ".local/state");
    text = mlr_asprintf("%s://%s:%u", origin->scheme, origin->host, (unsigned)origin->port);
    if (f->dir != NULL && text != NULL) {
        f->origin = mlr_xxh3(text, strlen(text));
        f->name = mlr_asprintf("host-%016llx", (unsigned long long)f->origin);
    }
    mlr_free(text);
    if (f->name != NULL)
        take_notes(f);
}

void mlr_hostfacts_done(mlr_hostfacts *f)
{
    mlr_free(f->dir);
    mlr_free(f->name);
    f->dir = f->name = NULL;
}

/* ---- facts ---- */

void mlr_hostfacts_learn(mlr_hostfacts *f, uint32_t facts)
{
    uint32_t before = __atomic_fetch_or(&f->bits, facts, __ATOMIC_RELAXED);   /* each bit stands alone: nothing is ordered by it */

    if ((before & facts) != facts)
        note_bits(f, facts & ~before, true);
}

void mlr_hostfacts_forget(mlr_hostfacts *f, uint32_t facts)
{
    uint32_t before = __atomic_fetch_and(&f->bits, ~facts, __ATOMIC_RELAXED);

    if ((before & facts) != 0)
        note_bits(f, facts & before, false);
}

bool mlr_hostfacts_know(const mlr_hostfacts *f, uint32_t fact)
{
    return (__atomic_load_n(&f->bits, __ATOMIC_RELAXED) & fact) == fact;
}

void mlr_hostfacts_too_large(mlr_hostfacts *f, uint64_t bytes)
{
    struct notes n;

    if (bytes < 2 || bytes > mlr_hostfacts_max_layer(f))
        return;
    __atomic_store_n(&f->max_layer, bytes - 1, __ATOMIC_RELAXED);
    if (f->name == NULL)
        return;
    read_notes(f, &n);
    n.max_layer = bytes - 1;
    n.max_layer_s = mlr_clock_wall_ms() / 1000;
    write_notes(f, &n);
}

uint64_t mlr_hostfacts_max_layer(const mlr_hostfacts *f)
{
    uint64_t most = __atomic_load_n(&f->max_layer, __ATOMIC_RELAXED);

    return most == 0 ? UINT64_MAX : most;
}
