/* model/pip.c - Python packages into a folder, by the machine's own pip. */
#include "model/pip.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/reader.h"
#include "base/run.h"
#include "model/pip_clean.h"

#define LIMIT_MS        3600000u
#define FIXED_ARGS      24               /* more than are ever put before the caller's */
#define QUOTE_MAX_BYTES 300
#define FILE_MAX_BYTES  (4u << 20)
#define ANSWER_INIT     { MLR_BUF_INIT(1u << 20), MLR_BUF_INIT(256u << 10), 0 }

static int copy(char **out, const char *text, const char *otherwise, mlreg_error **err)
{
    if (text == NULL && otherwise == NULL)
        return 0;
    return (*out = mlr_strdup(text != NULL ? text : otherwise)) == NULL ? mlr_error_nomem(err) : 0;
}

static int copy_args(mlr_pip *p, const mlreg_pip_options *o, mlreg_error **err)
{
    int rc = 0;

    if ((p->args = mlr_alloc_array(o->n_args, sizeof *p->args)) == NULL)
        return mlr_error_nomem(err);
    for (size_t i = 0; i < o->n_args && rc == 0; i++, p->n_args++)
        rc = copy(&p->args[i], o->args[i], NULL, err);
    return rc;
}

int mlr_pip_new(const mlreg_pip_options *o, const char *requirements, const char *platform, mlr_pip **out, mlreg_error **err)
{
    mlr_pip *p = mlr_alloc(sizeof *p);
    mlr_reader *r = NULL;
    int rc;

    if (p == NULL)
        return mlr_error_nomem(err);
    if ((rc = mlr_reader_open_file(requirements, &r, err)) == 0 && (rc = copy(&p->requirements, requirements, NULL, err)) == 0 &&
        (rc = copy(&p->target, o->target, "/opt/python", err)) == 0 && (rc = copy(&p->python, o->python, "python3", err)) == 0 &&
        (rc = copy(&p->version, o->python_version, NULL, err)) == 0 && (rc = copy(&p->platform, platform, NULL, err)) == 0)
        rc = copy_args(p, o, err);
    mlr_reader_free(r);
    if (rc == 0)
        *out = p;
    else
        mlr_pip_free(p);
    return rc;
}

void mlr_pip_free(mlr_pip *p)
{
    if (p == NULL)
        return;
    if (p->dir != NULL)
        mlr_fs_remove_tree(p->dir, NULL);
    for (size_t i = 0; i < p->n_args; i++)
        mlr_free(p->args[i]);
    mlr_free(p->args);
    mlr_free(p->requirements);
    mlr_free(p->target);
    mlr_free(p->python);
    mlr_free(p->version);
    mlr_free(p->platform);
    mlr_free(p->dir);
    mlr_free(p);
}

/* ---- what it will be known by ---- */

/* Each line names one version, or goes on with a hash, or says nothing. */
static bool is_pinned(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n"), blank = strspn(text, " \t"), end = strcspn(text, "#\n");
        const char *equals = memmem(text, end, "==", 2);
        bool empty = blank >= end || text[blank] == '\r', hash = strncmp(text + blank, "--hash=", 7) == 0;

        if (!empty && !hash && (equals == NULL || text[blank] == '-' || memchr(text, '*', end) != NULL))
            return false;
        text += len + (text[len] == '\n');
    }
    return true;
}

/* Which Python it is decides which wheels fit. */
static int add_version(const mlr_pip *p, mlr_op *op, mlr_buf *key, mlreg_error **err)
{
    const char *argv[] = { p->python, "-I", "-S", "-c", "import sys; print(sys.version, sys.platform)", NULL };
    const mlr_buf none = MLR_BUF_INIT(0);
    mlr_run_answer a = ANSWER_INIT;
    int rc = mlr_run(p->python, argv, &none, LIMIT_MS, op, &a, err);

    if (rc == 0 && a.exit_status == 0)
        rc = mlr_buf_add(key, a.out.data, a.out.len, err);
    mlr_run_answer_done(&a);
    return rc;
}

int mlr_pip_key(const mlr_pip *p, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    mlr_buf text = MLR_BUF_INIT(FILE_MAX_BYTES), key = MLR_BUF_INIT(2 * FILE_MAX_BYTES);
    int rc = mlr_fs_read_file(p->requirements, &text, err), pinned = 0;

    if (rc == 0 && is_pinned(text.len > 0 ? text.data : "")) {
        pinned = 1;
        rc = mlr_buf_printf(&key, err, "pip 1\n%s\n%s\n%s\n", p->target, p->platform != NULL ? p->platform : "", p->version != NULL ? p->version : "");
        for (size_t i = 0; i < p->n_args && rc == 0; i++)
            rc = mlr_buf_printf(&key, err, "%s\n", p->args[i]);
        if (rc == 0 && (rc = mlr_buf_add(&key, text.data, text.len, err)) == 0 && (rc = add_version(p, op, &key, err)) == 0)
            mlr_digest_of(key.data, key.len, out);
    }
    mlr_buf_done(&text);
    mlr_buf_done(&key);
    return rc < 0 ? rc : pinned;
}

/* ---- installing ---- */

/* What pip calls a platform: newest first, as far back as wheels are still built. */
static size_t put_platform(const mlr_pip *p, const char **argv, size_t n)
{
    static const struct { char platform[12], tags[3][34]; } known[] = {
        { "linux/amd64", { "--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_17_x86_64", "--platform=manylinux2014_x86_64" } },
        { "linux/arm64", { "--platform=manylinux_2_28_aarch64", "--platform=manylinux_2_17_aarch64", "--platform=manylinux2014_aarch64" } },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (p->platform != NULL && strncmp(p->platform, known[i].platform, strlen(known[i].platform)) == 0)
            for (size_t k = 0; k < 3; k++)
                argv[n++] = known[i].tags[k];
    return n;
}

static const char **make_argv(const mlr_pip *p, char **version)
{
    static const char fixed[][28] = { "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", "install", "--no-compile",
        "--no-warn-script-location" };
    const char **argv = mlr_alloc_array(FIXED_ARGS + p->n_args, sizeof *argv);
    size_t n = 0;

    if (argv == NULL)
        return NULL;
    argv[n++] = p->python;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        argv[n++] = fixed[i];
    argv[n++] = "--target";
    argv[n++] = p->dir;
    argv[n++] = "-r";
    argv[n++] = p->requirements;
    if (p->platform != NULL || p->version != NULL)
        argv[n++] = "--only-binary=:all:";
    n = put_platform(p, argv, n);
    if (p->version != NULL) {
        if ((*version = mlr_asprintf("--python-version=%s", p->version)) == NULL) {
            mlr_free(argv);
            return NULL;
        }
        argv[n++] = *version;
    }
    for (size_t i = 0; i < p->n_args; i++)
        argv[n++] = p->args[i];
    return argv;
}

/* pip's last line that says what is wrong, else its last one. */
static const char *last_error(const mlr_buf *said, size_t *len)
{
    const char *text = said->data != NULL ? said->data : "", *best = text;
    bool is_error = false;

    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n') {
        bool error = strncmp(at, "ERROR: ", 7) == 0;

        if (strcspn(at, "\r\n") > 0 && (error || !is_error))
            best = at;
        is_error = is_error || error;
    }
    if (is_error)
        best += 7;
    *len = strcspn(best, "\r\n");
    *len = *len < QUOTE_MAX_BYTES ? *len : QUOTE_MAX_BYTES;
    return best;
}

static int failed(const mlr_pip *p, const mlr_run_answer *a, mlreg_error **err)
{
    size_t len;
    const char *why = last_error(&a->said, &len);
    int rc;

    if (a->said.data != NULL && strstr(a->said.data, "No module named pip") != NULL) {
        rc = mlr_error_set(err, MLREG_ENOTSUP, "%s has no pip", p->python);
        return mlr_error_hint(err, rc, "install it (Debian: python3-pip), or name another Python");
    }
    rc = mlr_error_set(err, MLREG_EINVAL, "pip cannot install what %s asks for: %.*s", p->requirements, (int)len, why);
    mlr_error_subject(err, rc, p->requirements);
    return mlr_error_hint(err, rc, "see for yourself: %s -m pip download -r %s", p->python, p->requirements);
}

static int run(const mlr_pip *p, mlr_op *op, mlreg_error **err)
{
    const mlr_buf none = MLR_BUF_INIT(0);
    mlr_run_answer a = ANSWER_INIT;
    char *version = NULL;
    const char **argv = make_argv(p, &version);
    int rc = argv == NULL ? mlr_error_nomem(err) : mlr_run(p->python, argv, &none, LIMIT_MS, op, &a, err);

    if (rc == 0 && a.exit_status != 0)
        rc = failed(p, &a, err);
    else if (rc == MLREG_ENOTFOUND)
        mlr_error_hint(err, rc, "install Python and pip, or leave the requirements out");
    mlr_run_answer_done(&a);
    mlr_free(argv);
    mlr_free(version);
    return rc;
}

int mlr_pip_install(mlr_pip *p, mlr_op *op, mlreg_error **err)
{
    int rc;

    if ((rc = mlr_temp_folder(&p->dir, err)) < 0 || (rc = run(p, op, err)) < 0)
        return rc;
    return mlr_pip_clean(p->dir, op, err);
}
