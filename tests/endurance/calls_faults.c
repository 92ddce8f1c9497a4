/* endurance/calls_faults.c - the n-th allocation or file call of the library fails, on whatever thread; all that it holds is counted. */
#include "calls.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"

const fault faults[] = {
    { "no memory", 0, MLREG_ENOMEM }, { "EIO", EIO, MLREG_EIO },       { "ENOSPC", ENOSPC, MLREG_EIO },
    { "EDQUOT", EDQUOT, MLREG_EIO },  { "EMFILE", EMFILE, MLREG_EIO }, { "EINTR", EINTR, 0 },
    { "short", FAULT_SHORT, 0 },
};
const unsigned n_faults = sizeof faults / sizeof faults[0];

static const fault *_Atomic armed;
static atomic_uint n_calls, n_fired, nth_call;
static atomic_bool is_for_good, is_short_next;
static atomic_long n_blocks;
static _Atomic(const char *) kind_of_last;
static char name_of_last[256];

static bool fires(const fault *f)
{
    unsigned n, nth = atomic_load(&nth_call);

    if (f == NULL || f != atomic_load(&armed))
        return false;
    n = atomic_fetch_add(&n_calls, 1) + 1;
    if (nth == 0 || (n != nth && !(n > nth && atomic_load(&is_for_good))))
        return false;
    atomic_fetch_add(&n_fired, 1);
    return true;
}

static void note(const char *kind, const char *name)
{
    if (atomic_load(&n_fired) > 1)
        return;
    strncpy(name_of_last, name, sizeof name_of_last - 1);
    atomic_store(&kind_of_last, kind);
}

static void *resize(void *user, void *p, size_t bytes)
{
    const fault *f = atomic_load(&armed);
    void *got;

    (void)user;
    if (f != NULL && f->errnum == 0 && fires(f)) {
        note("an allocation", "");
        return NULL;
    }
    if ((got = realloc(p, bytes)) != NULL && p == NULL)
        atomic_fetch_add(&n_blocks, 1);
    return got;
}

static void release(void *user, void *p)
{
    (void)user;
    if (p != NULL)
        atomic_fetch_sub(&n_blocks, 1);
    free(p);
}

static int on_call(mlr_fs_call call, const char *name, void *user)
{
    static const char *const kinds[] = { "open", "stat", "read", "write", "sync", "rename", "link", "unlink", "mkdir", "list", "openat2", "lock" };
    const fault *f = atomic_load(&armed);

    (void)user;
    if (f == NULL || f->errnum == 0 || (f->errnum == FAULT_SHORT && call != MLR_FS_READ && call != MLR_FS_WRITE) || !fires(f))
        return 0;
    note(kinds[call], name);
    if (f->errnum != FAULT_SHORT)
        return f->errnum;
    atomic_store(&is_short_next, true);
    return 0;
}

static size_t most(size_t asked)
{
    return asked > 1 && atomic_exchange(&is_short_next, false) ? asked / 2 : asked;
}

void faults_install(void)
{
    static const mlr_allocator counting = { resize, release, NULL };

    mlr_alloc_use(&counting);
    mlr_fs_use(on_call, NULL);
    mlr_fs_use_short(most);
}

void fault_arm(const fault *f, unsigned nth, bool for_good)
{
    atomic_store(&n_calls, 0);
    atomic_store(&n_fired, 0);
    atomic_store(&nth_call, nth);
    atomic_store(&is_for_good, for_good && f->code != 0);      /* interrupted for ever is no fault but a hang */
    atomic_store(&armed, f);
}

unsigned fault_disarm(unsigned *fired)
{
    atomic_store(&armed, NULL);
    atomic_store(&is_short_next, false);
    *fired = atomic_load(&n_fired);
    return atomic_load(&n_calls);
}

const char *fault_where(void)
{
    static char text[300];
    const char *kind = atomic_load(&kind_of_last);

    strcpy(text, kind != NULL ? kind : "nothing");
    strcat(strcat(text, " "), name_of_last);
    return text;
}

long blocks_in_use(void)
{
    return atomic_load(&n_blocks);
}

int files_in_use(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = -1;                  /* its own */

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}
