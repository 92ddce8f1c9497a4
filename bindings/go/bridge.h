/* bridge.h - what Go cannot say to the library itself: options filled in C, callbacks that find their way to Go. */
#ifndef MLREG_GO_BRIDGE_H
#define MLREG_GO_BRIDGE_H
#include <mlreg.h>

#define MLREG_GO_OLDEST 0x000100u /* the first version that has all that the binding calls */
#if MLREG_VERSION < MLREG_GO_OLDEST
#error "this binding needs the header of libmlreg 0.1.0 or newer"
#endif

/* Names the Go call that this thread is about to make, for the callbacks inside it; gives the one before. The library
 * calls back on the calling thread, so a thread-local is exact where a session or a source serves many calls. */
uintptr_t mlreg_go_enter(uintptr_t call);
/* Has the op report to the Go call that this thread makes. */
void mlreg_go_on_progress(mlreg_op *op, uint32_t interval_ms);

/* Lists of strings arrive flat, each with its zero: Go memory may not hold pointers that C is to follow. */
int mlreg_go_session_open(const char *location, uint32_t flags, uint32_t connect_timeout_ms, uint32_t stall_timeout_ms,
        uint32_t max_retries, mlreg_runtime *runtime, const char *ca_file, const char *client_cert_file,
        const char *client_key_file, uintptr_t callbacks, int has_auth, int has_log, mlreg_session **out,
        mlreg_error **err);
int mlreg_go_runtime_new(uint32_t max_threads, uint32_t max_connections, uint64_t memory_bytes,
        uint64_t max_bytes_per_s, mlreg_runtime **out, mlreg_error **err);
/* What is wanted of an index, by value; `wanted` 0: nothing. */
typedef struct mlreg_go_wish { int wanted; const char *platform, *variant, *accelerator, *precision, *host; } mlreg_go_wish;
int mlreg_go_resolve(mlreg_session *s, const char *ref, mlreg_go_wish wish, mlreg_op *op, mlreg_artifact **out, mlreg_error **err);
int mlreg_go_variants(mlreg_session *s, const char *ref, mlreg_go_wish wish, mlreg_op *op, mlreg_list **out, mlreg_error **err);
int mlreg_go_copy(mlreg_session *from, const char *ref, mlreg_session *to, const char *as, uint32_t flags,
        const char *expect_digest, mlreg_go_wish wish, mlreg_op *op, mlreg_artifact **out, mlreg_error **err);
int mlreg_go_add_child(mlreg_builder *b, mlreg_artifact *child, const char *name, const char *platform, const char *accelerator,
        const char *compute, const char *driver, const char *runtime, const char *cpu, const char *precision, const char *format,
        uint64_t memory_bytes, mlreg_error **err);
int mlreg_go_checkout(mlreg_artifact *a, const char *dir, const char *include, size_t n_include, const char *exclude,
        size_t n_exclude, mlreg_op *op, mlreg_error **err);
int mlreg_go_image_unpack(mlreg_artifact *a, const char *dir, const char *path, const char *layers, size_t n_layers,
        uint32_t flags, mlreg_op *op, mlreg_error **err);
int mlreg_go_stream_open(mlreg_artifact *a, size_t layer, uint32_t flags, uint64_t offset, uint64_t bytes,
        mlreg_op *op, mlreg_stream **out, mlreg_error **err);
int mlreg_go_add_tree(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, const char *dir,
        mlreg_op *op, mlreg_error **err);
int mlreg_go_add_file(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, const char *path,
        mlreg_op *op, mlreg_error **err);
/* `source` is released by the library, whatever comes of it. */
int mlreg_go_add_source(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, uintptr_t source,
        uint64_t bytes, mlreg_op *op, mlreg_error **err);
int mlreg_go_add_layer_of(mlreg_builder *b, uint32_t flags, const char *media_type, const char *title, mlreg_artifact *from,
        size_t layer, mlreg_error **err);
int mlreg_go_add_pip(mlreg_builder *b, uint32_t flags, const char *target, const char *python, const char *version,
        const char *args, size_t n_args, const char *requirements, mlreg_op *op, mlreg_error **err);
/* `lists`: env, labels, ports, entrypoint, cmd, one behind the other, and how many of each. */
int mlreg_go_set_image(mlreg_builder *b, const char *platform, const char *user, const char *workdir, const char *lists,
        const size_t n[5], mlreg_error **err);
int mlreg_go_commit(mlreg_builder *b, const char *ref, uint32_t flags, const char *expect_digest, const char *also,
        size_t n_also, mlreg_op *op, mlreg_artifact **out, mlreg_error **err);
int mlreg_go_put(mlreg_session *s, const char *ref, const char *media_type, const void *json, size_t len, uint32_t flags,
        const char *expect_digest, mlreg_op *op, mlreg_artifact **out, mlreg_error **err);
int mlreg_go_gc(mlreg_session *s, uint32_t flags, uint64_t grace_ms, mlreg_op *op, uint64_t *blobs, uint64_t *bytes,
        mlreg_error **err);
int mlreg_go_blob_at(const mlreg_op *op, size_t i, mlreg_blob_stats *out);
int mlreg_go_stats(const mlreg_op *op, mlreg_stats *out);
#endif
