/* bridge.c - options filled in C, and callbacks handed on to Go. */
#include "bridge.h"

#include <stdlib.h>
#include "_cgo_export.h"

/* ---- callbacks ---- */

static _Thread_local uintptr_t current;

uintptr_t mlreg_go_enter(uintptr_t call)
{
    uintptr_t before = current;

    current = call;
    return before;
}

static int on_progress(mlreg_op *op, void *user)
{
    (void)user;
    return mlregGoProgress(op, current);
}

void mlreg_go_on_progress(mlreg_op *op, uint32_t interval_ms)
{
    mlreg_op_on_progress(op, on_progress, NULL, interval_ms);
}

static int on_auth(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    return mlregGoAuth(a, (char *)host, (char *)scope, (uintptr_t)user, current);
}

static void on_log(int level, const char *line, void *user)
{
    mlregGoLog(level, (char *)line, (uintptr_t)user, current);
}

static int64_t on_read_at(void *user, uint64_t offset, void *buf, size_t len)
{
    return mlregGoReadAt((uintptr_t)user, current, offset, buf, len);
}

static void on_release(void *user)
{
    mlregGoRelease((uintptr_t)user);
}

/* ---- options ---- */

/* Pointers to `n` strings that lie one behind the other; NULL with n > 0: no memory. */
static const char **split(const char *flat, size_t n)
{
    const char **list = n > 0 ? calloc(n, sizeof *list) : NULL;

    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i] = flat;
        flat += strlen(flat) + 1;
    }
    return list;
}

int mlreg_go_session_open(const char *location, uint32_t flags, uint32_t connect_timeout_ms, uint32_t stall_timeout_ms,
        uint32_t max_retries, mlreg_runtime *runtime, const char *ca_file, const char *client_cert_file,
        const char *client_key_file, uintptr_t callbacks, int has_auth, int has_log, mlreg_session **out,
        mlreg_error **err)
{
    mlreg_session_options o;

    MLREG_INIT(o);
    o.flags = flags;
    o.connect_timeout_ms = connect_timeout_ms;
    o.stall_timeout_ms = stall_timeout_ms;
    o.max_retries = max_retries;
    o.runtime = runtime;
    o.ca_file = ca_file;
    o.client_cert_file = client_cert_file;
    o.client_key_file = client_key_file;
    o.auth = has_auth ? on_auth : NULL;
    o.auth_user = (void *)callbacks;
    o.log = has_log ? on_log : NULL;
    o.log_user = (void *)callbacks;
    return mlreg_session_open(location, &o, out, err);
}

int mlreg_go_runtime_new(uint32_t max_threads, uint32_t max_connections, uint64_t memory_bytes,
        uint64_t max_bytes_per_s, mlreg_runtime **out, mlreg_error **err)
{
    mlreg_runtime_options o;

    MLREG_INIT(o);
    o.max_threads = max_threads;
    o.max_connections = max_connections;
    o.memory_bytes = memory_bytes;
    o.max_bytes_per_s = max_bytes_per_s;
    return mlreg_runtime_new(&o, out, err);
}

static mlreg_resolve_options resolve_options(mlreg_go_wish wish)
{
    mlreg_resolve_options o;

    MLREG_INIT(o);
    o.flags = wish.wanted ? MLREG_RESOLVE_VARIANT : 0;
    o.platform = wish.platform;
    o.variant = wish.variant;
    o.accelerator = wish.accelerator;
    o.precision = wish.precision;
    o.host = wish.host;
    return o;
}

int mlreg_go_resolve(mlreg_session *s, const char *ref, mlreg_go_wish wish, mlreg_op *op, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_resolve_options o = resolve_options(wish);

    return mlreg_session_resolve(s, ref, &o, op, out, err);
}

int mlreg_go_variants(mlreg_session *s, const char *ref, mlreg_go_wish wish, mlreg_op *op, mlreg_list **out, mlreg_error **err)
{
    mlreg_resolve_options o = resolve_options(wish);

    return mlreg_session_variants(s, ref, &o, op, out, err);
}

int mlreg_go_add_child(mlreg_builder *b, mlreg_artifact *child, const char *name, const char *platform, const char *accelerator,
        const char *compute, const char *driver, const char *runtime, const char *cpu, const char *precision, const char *format,
        uint64_t memory_bytes, mlreg_error **err)
{
    mlreg_variant_options o;

    MLREG_INIT(o);
    o.name = name;
    o.platform = platform;
    o.accelerator = accelerator;
    o.compute = compute;
    o.driver = driver;
    o.runtime = runtime;
    o.cpu = cpu;
    o.precision = precision;
    o.format = format;
    o.memory_bytes = memory_bytes;
    return mlreg_builder_add_child(b, child, &o, err);
}

int mlreg_go_copy(mlreg_session *from, const char *ref, mlreg_session *to, const char *as, uint32_t flags,
        const char *expect_digest, mlreg_go_wish wish, mlreg_op *op, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_resolve_options variant = resolve_options(wish);
    mlreg_copy_options o;

    MLREG_INIT(o);
    o.flags = flags;
    o.expect_digest = expect_digest;
    o.variant = wish.wanted ? &variant : NULL;
    return mlreg_copy(from, ref, to, as, &o, op, out, err);
}

int mlreg_go_checkout(mlreg_artifact *a, const char *dir, const char *include, size_t n_include, const char *exclude,
        size_t n_exclude, mlreg_op *op, mlreg_error **err)
{
    const char **in = split(include, n_include), **ex = split(exclude, n_exclude);
    int rc = MLREG_ENOMEM;

    if ((in != NULL || n_include == 0) && (ex != NULL || n_exclude == 0)) {
        mlreg_checkout_options o;

        MLREG_INIT(o);
        o.include = in;
        o.n_include = n_include;
        o.exclude = ex;
        o.n_exclude = n_exclude;
        rc = mlreg_checkout(a, dir, &o, op, err);
    }
    free(in);
    free(ex);
    return rc;
}

int mlreg_go_image_unpack(mlreg_artifact *a, const char *dir, const char *path, const char *layers, size_t n_layers,
        uint32_t flags, mlreg_op *op, mlreg_error **err)
{
    const char **list = split(layers, n_layers);
    int rc = MLREG_ENOMEM;

    if (list != NULL || n_layers == 0) {
        mlreg_image_unpack_options o;

        MLREG_INIT(o);
        o.flags = flags;
        o.path = path;
        o.layers = list;
        o.n_layers = n_layers;
        rc = mlreg_image_unpack(a, dir, &o, op, err);
    }
    free(list);
    return rc;
}

int mlreg_go_stream_open(mlreg_artifact *a, size_t layer, uint32_t flags, uint64_t offset, uint64_t bytes,
        mlreg_op *op, mlreg_stream **out, mlreg_error **err)
{
    mlreg_stream_options o;

    MLREG_INIT(o);
    o.flags = flags;
    o.offset = offset;
    o.bytes = bytes;
    return mlreg_stream_open(a, layer, &o, op, out, err);
}

static mlreg_layer_options layer_options(uint32_t flags, const char *media_type, const char *title)
{
    mlreg_layer_options o;

    MLREG_INIT(o);
    o.flags = flags;
    o.media_type = media_type;
    o.title = title;
    return o;
}

int mlreg_go_add_tree(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, const char *dir,
        mlreg_op *op, mlreg_error **err)
{
    mlreg_layer_options o = layer_options(flags, media_type, title);

    return mlreg_builder_add_tree(b, &o, dir, op, err);
}

int mlreg_go_add_file(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, const char *path,
        mlreg_op *op, mlreg_error **err)
{
    mlreg_layer_options o = layer_options(flags, media_type, title);

    return mlreg_builder_add_file(b, &o, path, op, err);
}

int mlreg_go_add_source(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, uintptr_t source,
        uint64_t bytes, mlreg_op *op, mlreg_error **err)
{
    mlreg_layer_options o = layer_options(flags, media_type, title);
    mlreg_source s;

    MLREG_INIT(s);
    s.bytes = bytes;
    s.user = (void *)source;
    s.read_at = on_read_at;
    s.release = on_release;
    return mlreg_builder_add_source(b, &o, &s, op, err);
}

int mlreg_go_add_layer_of(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, mlreg_artifact *from,
        size_t layer, mlreg_error **err)
{
    mlreg_layer_options o = layer_options(flags, media_type, title);

    return mlreg_builder_add_layer_of(b, &o, from, layer, err);
}

int mlreg_go_add_pip(mlreg_builder *b, uint32_t flags, const char *target, const char *python, const char *version,
        const char *args, size_t n_args, const char *requirements, mlreg_op *op, mlreg_error **err)
{
    const char **more = split(args, n_args);
    mlreg_pip_options o;
    int rc;

    if (more == NULL && n_args > 0)
        return MLREG_ENOMEM;
    MLREG_INIT(o);
    o.flags = flags;
    o.target = target;
    o.python = python;
    o.python_version = version;
    o.args = more;
    o.n_args = n_args;
    rc = mlreg_builder_add_pip(b, &o, requirements, op, err);
    free(more);
    return rc;
}

int mlreg_go_set_image(mlreg_builder *b, const char *platform, const char *user, const char *workdir, const char *lists,
        const size_t n[5], mlreg_error **err)
{
    const char **all = split(lists, n[0] + n[1] + n[2] + n[3] + n[4]), **at = all;
    mlreg_image_options o;
    int rc;

    if (all == NULL && lists != NULL)
        return MLREG_ENOMEM;
    MLREG_INIT(o);
    o.platform = platform;
    o.user = user;
    o.workdir = workdir;
    o.env = at;
    o.labels = at += o.n_env = n[0];
    o.ports = at += o.n_labels = n[1];
    at += o.n_ports = n[2];
    o.entrypoint = n[3] > 0 ? at : NULL;
    at += o.n_entrypoint = n[3];
    o.cmd = n[4] > 0 ? at : NULL;
    o.n_cmd = n[4];
    rc = mlreg_builder_set_image(b, &o, err);
    free(all);
    return rc;
}

int mlreg_go_commit(mlreg_builder *b, const char *ref, uint32_t flags, const char *expect_digest, const char *also,
        size_t n_also, mlreg_op *op, mlreg_artifact **out, mlreg_error **err)
{
    const char **tags = split(also, n_also);
    mlreg_commit_options o;
    int rc;

    if (tags == NULL && n_also > 0)
        return MLREG_ENOMEM;
    MLREG_INIT(o);
    o.flags = flags;
    o.expect_digest = expect_digest;
    o.also = tags;
    o.n_also = n_also;
    rc = mlreg_builder_commit(b, ref, &o, op, out, err);
    free(tags);
    return rc;
}

/* ---- reports ---- */

int mlreg_go_put(mlreg_session *s, const char *ref, const char *media_type, const void *json, size_t len, uint32_t flags,
        const char *expect_digest, mlreg_op *op, mlreg_artifact **out, mlreg_error **err)
{
    mlreg_copy_options o;

    MLREG_INIT(o);
    o.flags = flags;
    o.expect_digest = expect_digest;
    return mlreg_session_put(s, ref, media_type, json, len, &o, op, out, err);
}

int mlreg_go_gc(mlreg_session *s, uint32_t flags, uint64_t grace_ms, mlreg_op *op, uint64_t *blobs, uint64_t *bytes,
        mlreg_error **err)
{
    mlreg_gc_options o;
    mlreg_gc_report report;
    int rc;

    MLREG_INIT(o);
    MLREG_INIT(report);
    o.flags = flags;
    o.grace_ms = grace_ms;
    if ((rc = mlreg_session_gc(s, &o, op, &report, err)) == 0) {
        *blobs = report.blobs;
        *bytes = report.bytes;
    }
    return rc;
}

int mlreg_go_blob_at(const mlreg_op *op, size_t i, mlreg_blob_stats *out)
{
    MLREG_INIT(*out);
    return mlreg_op_blob_at(op, i, out, NULL);
}

int mlreg_go_stats(const mlreg_op *op, mlreg_stats *out)
{
    MLREG_INIT(*out);
    return mlreg_op_stats(op, out, NULL);
}
