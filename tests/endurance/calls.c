/* endurance/calls.c - every allocation and every file call of every verb fails in turn, and nothing suffers for it.
 *
 * Usage: endurance_calls [--most N] [--for-good] [--verb NAME] [--fault NAME] [--call N] [--keep] REGISTRY
 *
 * For each verb (build, push, publish, pull, resume, read, gc) and each fault (no memory, EIO, ENOSPC, EDQUOT, EMFILE, EINTR, a short read or write)
 * the calls of a clean run are counted, then the 1st, the 2nd, … fails, on whatever thread it happens to be; with --most N only N of them,
 * evenly spread, with --for-good all that follow as well. After each try: a documented code or success, no block of memory and no file
 * left open, a sound store, the tag of before readable; the second try goes well, and a collection leaves nothing over. The exit status
 * is 1, and the last line tells which try it was, if one of these does not hold; with --keep its directory stays, below /dev/shm. */
#include "calls.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct { unsigned most; bool for_good; const char *verb, *fault; unsigned call; bool keep; const char *registry; } how;
static struct { const verb *v; const fault *f; unsigned nth; } now;
static char top[64], shared[80];

/* ---- directories ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void remove_all(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void broken(const char *format, ...)
{
    va_list args;

    printf("BROKEN: ");
    if (now.v != NULL)
        printf("%s, %s at call %u (%s): ", now.v->name, now.f->name, now.nth, fault_where());
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    if (!how.keep)
        remove_all(top);
    _exit(1);
}

/* ---- one try ---- */

static void begin(ground *g)
{
    static unsigned number;

    *g = (ground){ .registry = how.registry, .shared = shared, .number = ++number };
    snprintf(g->dir, sizeof g->dir, "%s/%u", top, number);
    mkdir(g->dir, 0755);
}

static void check_code(int rc, mlreg_error *err)
{
    if (mlreg_error_code(err) != rc)
        broken("the code is %d, the error's %d", rc, mlreg_error_code(err));
    if (rc < 0 && mlreg_error_message(err)[0] == '\0')
        broken("code %d without a word", rc);
    if (rc < 0 && now.f->code == 0)
        broken("it may not fail for that: %s", mlreg_error_message(err));
    if (rc < 0 && rc != now.f->code && rc != MLREG_EIO)
        broken("code %d: %s", rc, mlreg_error_message(err));
}

static void check_nothing_held(long blocks, int files)
{
    if (blocks_in_use() != blocks)
        broken("%ld blocks of memory leak", blocks_in_use() - blocks);
    if (files_in_use() != files)
        broken("%d files stay open", files_in_use() - files);
}

static int act_with_fault(ground *g, unsigned *n_calls, unsigned *fired)
{
    mlreg_error *err = NULL;
    long blocks = blocks_in_use();
    int files = files_in_use(), rc;

    fault_arm(now.f, now.nth, how.for_good);
    rc = now.v->act(g, &err);
    *n_calls = fault_disarm(fired);
    check_code(rc, err);
    mlreg_error_free(err);
    check_nothing_held(blocks, files);
    return rc;
}

static void act_again(ground *g)
{
    mlreg_error *err = NULL;

    if (now.v->act(g, &err) < 0)
        broken("the second try: %s", mlreg_error_message(err));
    now.v->check(g);
}

/* 1: refused; 0: it got through. *n_calls: how many the verb made. */
static int try_once(unsigned nth, unsigned *n_calls, unsigned *fired)
{
    ground g;
    int rc;

    now.nth = nth;
    begin(&g);
    now.v->prepare(&g);
    rc = act_with_fault(&g, n_calls, fired);
    verbs_check_store(&g);
    if (rc == 0)
        now.v->check(&g);
    act_again(&g);
    verbs_check_swept(&g);
    remove_all(g.dir);
    return rc < 0;
}

/* ---- all of them ---- */

static void try_all(void)
{
    unsigned n = 0, fired, tried = 0, refused = 0, through = 0, step_of;

    try_once(0, &n, &fired);
    step_of = how.most > 0 && how.most < n ? how.most : n;
    for (unsigned i = 0; i < step_of; i++) {
        unsigned nth = how.call > 0 ? how.call : 1 + (unsigned)((2ull * i + 1) * n / (2ull * step_of)), ignored;
        int rc = try_once(nth, &ignored, &fired);

        tried += fired > 0;
        refused += fired > 0 && rc == 1;
        through += fired > 0 && rc == 0;
        if (how.call > 0)
            break;
    }
    printf("%-7s %-10s %6u %6u %8u %8u\n", now.v->name, now.f->name, n, tried, refused, through);
    fflush(stdout);
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--for-good") == 0)
            how.for_good = true;
        else if (strcmp(argv[i], "--keep") == 0)
            how.keep = true;
        else if (argv[i][0] != '-' && how.registry == NULL)
            how.registry = argv[i];
        else if (strcmp(argv[i], "--most") == 0 && ++i)
            how.most = (unsigned)atoi(value);
        else if (strcmp(argv[i], "--verb") == 0 && ++i)
            how.verb = value;
        else if (strcmp(argv[i], "--fault") == 0 && ++i)
            how.fault = value;
        else if (strcmp(argv[i], "--call") == 0 && ++i)
            how.call = (unsigned)atoi(value);
        else
            return false;
    }
    return how.registry != NULL;
}

/* On a disk in memory syncing costs nothing. */
static void make_top(void)
{
    char path[100];

    snprintf(top, sizeof top, "%s/mlreg-calls-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(top) == NULL)
        broken("no directory can be made");
    for (const char *const *name = (const char *const[]){ "HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", NULL }; *name != NULL; name++) {
        snprintf(path, sizeof path, "%s/%s", top, *name);
        mkdir(path, 0700);
        setenv(*name, path, 1);
    }
    snprintf(shared, sizeof shared, "%s/shared", top);
    mkdir(shared, 0755);
    setenv("TMPDIR", top, 1);
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv)) {
        fprintf(stderr, "usage: endurance_calls [--most N] [--for-good] [--verb NAME] [--fault NAME] [--call N] [--keep] REGISTRY\n");
        return 2;
    }
    faults_install();
    make_top();
    verbs_begin(how.registry, shared);
    printf("%-7s %-10s %6s %6s %8s %8s\n", "verb", "fault", "calls", "tried", "refused", "through");
    for (const verb *v = verbs; v < verbs + n_verbs; v++)
        for (const fault *f = faults; f < faults + n_faults; f++) {
            if ((how.verb != NULL && strcmp(how.verb, v->name) != 0) || (how.fault != NULL && strcmp(how.fault, f->name) != 0))
                continue;
            now.v = v;
            now.f = f;
            try_all();
        }
    remove_all(top);
    printf("nothing suffered\n");
    return 0;
}
