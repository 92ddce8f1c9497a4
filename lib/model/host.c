/* model/host.c - what a machine is, found on this one; remembered for the life of the process. */
#include "model/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "model/host_parts.h"

#define NOTE_BYTES 512
#define PATH_BYTES 4096

/* ---- for the rooms that look ---- */

bool mlr_host_file(const mlr_host_roots *r, const char *path, char *out, size_t room)
{
    char whole[PATH_BYTES];
    int64_t n;
    int fd;

    snprintf(whole, sizeof whole, "%s%s", r->top != NULL ? r->top : "", path);
    if (mlr_fs_open(whole, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, NULL) < 0)
        return false;
    n = mlr_fs_read_at(fd, 0, out, room - 1, whole, NULL);
    mlr_fs_close(fd);
    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

bool mlr_host_there(const mlr_host_roots *r, const char *path)
{
    char whole[PATH_BYTES];

    snprintf(whole, sizeof whole, "%s%s", r->top != NULL ? r->top : "", path);
    return mlr_fs_exists(whole);
}

const char *mlr_host_line(const char *text, const char *name)
{
    size_t n = strlen(name);

    while (text != NULL && *text != '\0') {
        if (strncmp(text, name, n) == 0 && strchr(" \t:", text[n]) != NULL)
            return text + n + strspn(text + n, " \t:");
        text = strchr(text, '\n');
        text += text != NULL;
    }
    return NULL;
}

char *mlr_host_word(const char *text)
{
    size_t n;

    text += strspn(text, " \t");
    n = strcspn(text, "\n");
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    return mlr_strndup(text, n);
}

static void accelerator_done(mlr_accelerator *a)
{
    mlr_free(a->kind);
    mlr_free(a->name);
    mlr_free(a->driver);
    mlr_free(a->runtime);
    mlr_free(a->compute);
}

int mlr_host_add(mlr_host *h, mlr_accelerator *a, mlreg_error **err)
{
    if (a->kind == NULL || mlr_grow(&h->accelerators, &h->cap, h->n, sizeof *h->accelerators) < 0) {
        accelerator_done(a);
        return mlr_error_nomem(err);
    }
    h->accelerators[h->n++] = *a;
    return 0;
}

int mlr_host_note(mlr_host *h, mlreg_error **err, const char *format, ...)
{
    char text[NOTE_BYTES], *copy;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if ((copy = mlr_strdup(text)) == NULL || mlr_grow(&h->notes, &h->cap_notes, h->n_notes, sizeof *h->notes) < 0) {
        mlr_free(copy);
        return mlr_error_nomem(err);
    }
    h->notes[h->n_notes++] = copy;
    return 0;
}

void mlr_host_done(mlr_host *h)
{
    for (size_t i = 0; i < h->n; i++)
        accelerator_done(&h->accelerators[i]);
    for (size_t i = 0; i < h->n_notes; i++)
        mlr_free(h->notes[i]);
    mlr_free(h->accelerators);
    mlr_free(h->notes);
    mlr_free(h->os);
    mlr_free(h->arch);
    mlr_free(h->arch_variant);
    mlr_free(h->cpu);
    *h = (mlr_host){ 0 };
}

/* ---- all together ---- */

int mlr_host_find(const mlr_host_roots *roots, mlr_host *out, mlreg_error **err)
{
    static const mlr_host_roots here;
    const mlr_host_roots *r = roots != NULL ? roots : &here;
    mlr_host h = { 0 };
    int rc;

    if ((h.os = mlr_strdup("linux")) == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_host_cpu(r, &h, err)) == 0 && (rc = mlr_host_memory(r, &h, err)) == 0 && (rc = mlr_host_nvidia(r, &h, err)) == 0)
        rc = mlr_host_amd(r, &h, err);
    if (rc < 0)
        mlr_host_done(&h);
    else
        *out = h;
    return rc;
}

typedef struct known { mlr_host host; char *json; } known;
static known *this_machine;          /* set once, atomically */

static void known_free(known *k)
{
    mlr_host_done(&k->host);
    mlr_free(k->json);
    mlr_free(k);
}

/* Two threads may both look; the first to finish is kept. */
static int look(mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(MLR_HOST_JSON_MAX_BYTES);
    known *k = mlr_alloc(sizeof *k), *none = NULL;
    int rc = k == NULL ? mlr_error_nomem(err) : mlr_host_find(NULL, &k->host, err);

    if (rc == 0 && (rc = mlr_host_write(&k->host, &text, err)) == 0 && (k->json = mlr_buf_take(&text)) == NULL)
        rc = mlr_error_nomem(err);
    mlr_buf_done(&text);
    if (k != NULL && (rc < 0 || !__atomic_compare_exchange_n(&this_machine, &none, k, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)))
        known_free(k);
    return rc;
}

int mlr_host_this(const mlr_host **host, const char **json, mlreg_error **err)
{
    const known *k = __atomic_load_n(&this_machine, __ATOMIC_ACQUIRE);
    int rc;

    if (k == NULL && (rc = look(err)) < 0)
        return rc;
    k = __atomic_load_n(&this_machine, __ATOMIC_ACQUIRE);
    if (host != NULL)
        *host = &k->host;
    if (json != NULL)
        *json = k->json;
    return 0;
}
