/* mlreg.h - build, push, pull, stream and verify machine-learning models in OCI registries and in a local store.
 *
 * MODEL     A session is one open place that holds artifacts: a registry ("https://ghcr.io"), a store ("/var/models"),
 *           one OCI image layout ("oci:./out") or "memory:". An artifact is one resolved manifest: immutable, known by
 *           digest, readable wherever it lives. Every verb takes any place; what a place cannot do is MLREG_ENOTSUP.
 *           Folders are not places: mlreg_checkout writes an artifact's files into one, mlreg_builder_add_tree reads
 *           them from one.
 * NAMES     mlreg_<noun>_<verb>(noun, inputs, options, op, outputs, err): the first argument is the noun.
 * ERRORS    int: 0 or a negative MLREG_E*. int64_t: bytes >= 0, or the same codes. Each such function ends in
 *           `mlreg_error **err`: NULL to ignore, else pointing at NULL. Outputs are written only on success, *err only
 *           on failure. Nothing is thread-local. The first cause is reported: what was cancelled because of it never
 *           replaces it. Every function may also return EINVAL (a NULL, a flag or a malformed name that it does not
 *           allow), ENOMEM, and ESTATE in a forked child; their lists below name the rest.
 * OWNERSHIP What arrives through T **out is yours: release it with mlreg_<noun>_free (NULL is fine, and so is any
 *           order: children keep parents alive). A returned const pointer is borrowed and lives as long as the handle
 *           it came from. Inputs are copied, sources excepted.
 * VERIFIED  Bytes are checked before you can read them. Where that is impossible the call is refused, unless a flag
 *           named UNVERIFIED allows it.
 * THREADS   runtime, op, session, artifact, list, name, stream_read_at: any number of threads at once. builder, upload,
 *           error and the other stream calls: one at a time. Every callback runs on the thread that made the call, inside
 *           it, and must not call back into the same handle (mlreg_op_cancel and mlreg_op_stats excepted). Freeing a
 *           handle while a call on it runs is a caller's error. After fork() the child may only free; the rest is
 *           MLREG_ESTATE there. Descriptors are close-on-exec; worker threads block all signals.
 * UNITS     uint64_t bytes; times end in _ms; strings are UTF-8; digests are "sha256:<hex>". In an options field 0 or
 *           NULL is the default, and MLREG_NONE (all ones) is "none" or "no limit". Unknown flag bits are EINVAL.
 * ABI       Within one soname nothing is removed or reordered. Structs that you allocate begin with `size`
 *           (MLREG_INIT): what an older caller lacks is defaulted, what an older library lacks must be zero or the
 *           call is MLREG_ESTRUCT; a size below the first release's or above 4096 is MLREG_EINVAL. Everything else is
 *           opaque, with accessors.
 *
 * A whole program, which pulls a model into a store and lays its files out in a folder:
 *
 *     #include <mlreg.h>
 *     #include <stdio.h>
 *     int main(void)
 *     {
 *         mlreg_session *hub = NULL, *store = NULL;
 *         mlreg_artifact *model = NULL;
 *         mlreg_error *err = NULL;
 *         mlreg_session_options create;
 *         MLREG_INIT(create);
 *         create.flags = MLREG_OPEN_CREATE;
 *         int rc = mlreg_session_open("https://ghcr.io", NULL, &hub, &err);
 *         if (rc == 0) rc = mlreg_session_open("./models", &create, &store, &err);
 *         if (rc == 0) rc = mlreg_copy(hub, "team/llama:v1", store, NULL, NULL, NULL, &model, &err);
 *         if (rc == 0) rc = mlreg_checkout(model, "./llama", NULL, NULL, &err);
 *         if (rc != 0) fprintf(stderr, "%s\n", mlreg_error_message(err));
 *         mlreg_error_free(err);
 *         mlreg_artifact_free(model);
 *         mlreg_session_free(store);
 *         mlreg_session_free(hub);
 *         return rc != 0;
 *     }
 */
#ifndef MLREG_H
#define MLREG_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define MLREG_API
#else
#define MLREG_API __attribute__((visibility("default")))
#endif
#define MLREG_VERSION 0x000100u /* 0xMMmmpp, of this header */
#define MLREG_INIT(o) (memset(&(o), 0, sizeof(o)), (void)((o).size = (uint32_t)sizeof(o)))
#define MLREG_NONE UINT64_MAX   /* truncates to all ones in 32-bit fields */

/** The version of the loaded library, in the form of MLREG_VERSION. Since 0.1. */
MLREG_API uint32_t mlreg_version(void);

typedef struct mlreg_runtime    mlreg_runtime;    /* what sessions share: threads, connections, memory, bandwidth */
typedef struct mlreg_op         mlreg_op;         /* remote control of one call that takes long */
typedef struct mlreg_session    mlreg_session;    /* one open place */
typedef struct mlreg_artifact   mlreg_artifact;   /* one resolved manifest or index */
typedef struct mlreg_descriptor mlreg_descriptor; /* media type, digest, size and annotations of some content */
typedef struct mlreg_list       mlreg_list;       /* names and descriptors, in a fixed order */
typedef struct mlreg_stream     mlreg_stream;     /* one layer's bytes */
typedef struct mlreg_builder    mlreg_builder;    /* one manifest in the making */
typedef struct mlreg_upload     mlreg_upload;     /* one blob that comes in pieces */
typedef struct mlreg_auth       mlreg_auth;       /* what a credentials callback fills in */
typedef struct mlreg_name       mlreg_name;       /* "ghcr.io/team/llama:v1", taken apart */
typedef struct mlreg_error      mlreg_error;      /* what went wrong, where, and what to do */

/* ---- errors ------------------------------------------------------------------------------------------------------
 * One table makes the codes, mlreg_strerror() and the bindings' types. EINVAL and ESTATE are bugs of the caller;
 * ENET and ETIMEDOUT mean: call again, what arrived verified is not fetched twice. */
#define MLREG_ERROR_MAP(MLREG_X)                                                                                      \
    MLREG_X(ENOMEM, -1, "out of memory")             MLREG_X(EINVAL, -2, "invalid argument")                          \
    MLREG_X(ESTATE, -3, "call out of order")         MLREG_X(ESTRUCT, -4, "options from a newer header")              \
    MLREG_X(ENOTFOUND, -5, "not found")              MLREG_X(EEXISTS, -6, "already exists")                           \
    MLREG_X(EAUTH, -7, "not authenticated")          MLREG_X(EDENIED, -8, "not allowed")                              \
    MLREG_X(ENET, -9, "network failure")             MLREG_X(ETIMEDOUT, -10, "timed out")                             \
    MLREG_X(ECANCELLED, -11, "cancelled")            MLREG_X(EPROTO, -12, "malformed data")                           \
    MLREG_X(EDIGEST, -13, "content does not match its digest")                                                        \
    MLREG_X(EIO, -14, "local i/o failure")           MLREG_X(EPOLICY, -15, "refused by policy")                       \
    MLREG_X(EBUSY, -16, "locked by another process") MLREG_X(ELIMIT, -17, "over a limit")                             \
    MLREG_X(ENOTSUP, -18, "not supported here")
enum {
    MLREG_OK = 0,
#define MLREG_X(name, value, text) MLREG_##name = value,
    MLREG_ERROR_MAP(MLREG_X)
#undef MLREG_X
    MLREG_E_LAST = -18 /* the lowest code of this header */
};

/** What a code means in general: "not found"; "unknown error" for a number that is no code. Never NULL. Since 0.1. */
MLREG_API const char *mlreg_strerror(int code);
/** The code; 0 for a NULL error. Since 0.1. */
MLREG_API int mlreg_error_code(const mlreg_error *e);
/** What happened, in one line without a newline. Never NULL. Since 0.1. */
MLREG_API const char *mlreg_error_message(const mlreg_error *e);
/** What it happened to: a reference, digest or path; NULL if there is no such thing. Since 0.1. */
MLREG_API const char *mlreg_error_subject(const mlreg_error *e);
/** Where it happened: the end of a copy that failed, by its location; NULL if nowhere in particular. Since 0.1. */
MLREG_API const char *mlreg_error_place(const mlreg_error *e);
/** The HTTP status of the answer behind it; 0 if there was none. Since 0.1. */
MLREG_API int mlreg_error_http_status(const mlreg_error *e);
/** The registry's own code, such as "MANIFEST_UNKNOWN"; NULL if it sent none. OCI distribution-spec 1.1, "Error
 * codes". Since 0.1. */
MLREG_API const char *mlreg_error_registry_code(const mlreg_error *e);
/** What to do now, in one line; NULL if the library knows of nothing. Since 0.1. */
MLREG_API const char *mlreg_error_hint(const mlreg_error *e);
/** Release an error; NULL is fine. What was borrowed from it goes with it. Since 0.1. */
MLREG_API void mlreg_error_free(mlreg_error *e);

/* ---- runtime -----------------------------------------------------------------------------------------------------
 * What several sessions share. Optional: a session opened without one has its own. */
typedef struct mlreg_runtime_options {
    uint32_t size, flags;          /* flags: none yet */
    uint32_t max_threads;          /* for one call; default: as many as cores, at least 4 and at most 8, and more that
                                    * only wait for many small layers; MLREG_NONE: none but the caller's. Unless it is
                                    * that, each large layer on its way has two more, and one that waits for each of
                                    * its connections */
    uint32_t max_connections;      /* open at once over all hosts; default 100, which only hundreds of
                                    * small layers use */
    uint64_t memory_bytes;         /* for bytes in flight; default 32 MiB */
    uint64_t max_bytes_per_s;      /* received and sent together; default: no limit */
} mlreg_runtime_options;
/** Make a runtime. Codes: ESTRUCT. Since 0.1. */
MLREG_API int mlreg_runtime_new(const mlreg_runtime_options *opts, mlreg_runtime **out, mlreg_error **err);
/** Release a runtime; sessions that use it keep it alive. NULL is fine. Since 0.1. */
MLREG_API void mlreg_runtime_free(mlreg_runtime *r);

/* ---- op ----------------------------------------------------------------------------------------------------------
 * Pass one to a call that takes long and steer that call through it, from its progress callback or from any other
 * thread; pass NULL where you do not care. One op serves one call at a time, but may serve many after each other:
 * counts add up. Cancelling is for good. */
typedef struct mlreg_stats {
    uint32_t size;
    uint32_t blobs_done, blobs_total;
    uint32_t requests, retries, reserved;
    uint64_t bytes_done, bytes_total; /* of content: done includes what was there already */
    uint64_t bytes_network;           /* received and sent */
    uint64_t bytes_reused;            /* not moved: there already, mounted or cloned */
    uint64_t bytes_resumed;           /* not moved again after a break */
    uint64_t elapsed_ms;              /* since the first call with this op began */
    /* What it was spent on, added up over threads that work at the same time: */
    uint64_t wait_ms;                 /* until a registry was reached and answered */
    uint64_t network_ms;              /* receiving and sending bodies */
    uint64_t hash_ms;                 /* SHA-256 */
    uint64_t write_ms;                /* into files, as far as the system does not do it later */
    uint64_t sync_ms;                 /* until that was on the disk, and published */
} mlreg_stats;
typedef struct mlreg_blob_stats {
    uint32_t size, reserved;
    const char *name;                 /* the file, else the digest; borrowed from the op */
    uint64_t bytes;
    uint64_t began_ms;                /* on the clock of mlreg_stats.elapsed_ms */
    uint64_t elapsed_ms;
} mlreg_blob_stats;
/** Called on the calling thread every interval_ms, even when no byte moves; nonzero cancels. */
typedef int (*mlreg_progress_fn)(mlreg_op *op, void *user);
/** Make an op, to be passed to calls that take long. Since 0.1. */
MLREG_API int mlreg_op_new(mlreg_op **out, mlreg_error **err);
/** Ask to be called back; fn NULL: no longer. Not while a call with this op runs. interval_ms 0: 200. Since 0.1. */
MLREG_API void mlreg_op_on_progress(mlreg_op *op, mlreg_progress_fn fn, void *user, uint32_t interval_ms);
/** Make the call return MLREG_ECANCELLED within a second; from any thread, but from no signal handler; returns at once.
 * Since 0.1. */
MLREG_API void mlreg_op_cancel(mlreg_op *op);
/** Read the counts, from any thread; set inout->size first (MLREG_INIT). Codes: ESTRUCT. Since 0.1. */
MLREG_API int mlreg_op_stats(const mlreg_op *op, mlreg_stats *inout, mlreg_error **err);
/** Read what became of the i-th blob (layer or config) that calls with this op were done with, in the order of their ends;
 * the first 10,000 are known. From any thread. Codes: ENOTFOUND (there are no more); ESTRUCT. Since 0.1. */
MLREG_API int mlreg_op_blob_at(const mlreg_op *op, size_t i, mlreg_blob_stats *inout, mlreg_error **err);
/** Release an op, which no call may be using; streams that were opened with it keep it alive. NULL is fine.
 * Since 0.1. */
MLREG_API void mlreg_op_free(mlreg_op *op);

/* ---- names -------------------------------------------------------------------------------------------------------
 * How people write where something is: "ghcr.io/team/llama:v1" is a registry's (the first part holds a dot or a colon,
 * or is "localhost"; a scheme before it is honoured, without one loopback hosts are http and all others https),
 * "oci:DIR[:TAG]" a layout's, "llama:v1" a store's. "@sha256:<hex>" works wherever a tag does. */
/** Take a name apart. Codes: EINVAL (with the rule it breaks and a hint); ENOTSUP (a digest that is not sha256). OCI
 * distribution-spec 1.1, "Pulling manifests". Since 0.1. */
MLREG_API int mlreg_name_parse(const char *text, mlreg_name **out, mlreg_error **err);
/** What to give to mlreg_session_open: "https://ghcr.io", "oci:DIR"; NULL: no host was written, so a store is meant.
 * Since 0.1. */
MLREG_API const char *mlreg_name_location(const mlreg_name *n);
/** The reference within that location: "team/llama:v1". Never NULL. Since 0.1. */
MLREG_API const char *mlreg_name_ref(const mlreg_name *n);
/** The reference under which a store keeps it, host included: "ghcr.io/team/llama:v1"; for a layout its tag or digest
 * alone. Never NULL. Since 0.1. */
MLREG_API const char *mlreg_name_stored(const mlreg_name *n);
/** The repository within the location, without tag and digest; "" for a layout. Since 0.1. */
MLREG_API const char *mlreg_name_repository(const mlreg_name *n);
/** The tag, or NULL where none was written. Since 0.1. */
MLREG_API const char *mlreg_name_tag(const mlreg_name *n);
/** The digest, or NULL where none was written. Since 0.1. */
MLREG_API const char *mlreg_name_digest(const mlreg_name *n);
/** Release a name and all that was borrowed from it. NULL is fine. Since 0.1. */
MLREG_API void mlreg_name_free(mlreg_name *n);

/* ---- session -----------------------------------------------------------------------------------------------------
 * One open place. Opening a registry does not yet talk to it. Its manifests and blobs are read through the mirrors that
 * containers' registries.conf names for it, in order, then from itself; everything else goes to itself alone. What that
 * file blocks is EPOLICY for every call. */
enum { MLREG_LOG_ERROR = 0, MLREG_LOG_WARN, MLREG_LOG_INFO, MLREG_LOG_DEBUG };
/** One line without newline and without secrets. */
typedef void (*mlreg_log_fn)(int level, const char *line, void *user);
/** Answer by one mlreg_auth_set_* call, or by none for anonymous; a negative MLREG_E* fails the call. What you set is
 * copied. */
typedef int (*mlreg_auth_fn)(mlreg_auth *a, const char *host, const char *scope, void *user);
/** Answer with name and password. Since 0.1. */
MLREG_API int mlreg_auth_set_basic(mlreg_auth *a, const char *name, const char *secret);
/** Answer with a token that is sent as it is (Bearer). Since 0.1. */
MLREG_API int mlreg_auth_set_token(mlreg_auth *a, const char *token);

enum {
    MLREG_OPEN_CREATE     = 1 << 0, /* a store or layout that is not there is made, if not READONLY */
    MLREG_OPEN_READONLY   = 1 << 1, /* every writing verb is EDENIED; nothing on disk changes */
    MLREG_OPEN_PLAIN_HTTP = 1 << 2  /* http to any host; to this machine "http://…" works without it */
};
typedef struct mlreg_session_options {
    uint32_t size, flags;          /* flags: MLREG_OPEN_* */
    uint32_t connect_timeout_ms;   /* 10 000 */
    uint32_t stall_timeout_ms;     /* 30 000 without one byte; before a blob's first, a second more per 100 MB, up to 80 */
    uint32_t max_retries;          /* 4, with backoff, only where repeating is safe */
    uint32_t reserved;
    mlreg_runtime *runtime;        /* kept alive by the session */
    const char *ca_file;           /* PEM; else $SSL_CERT_FILE, $CURL_CA_BUNDLE, the system's */
    const char *client_cert_file;  /* PEM; not for mirrors */
    const char *client_key_file;   /* PEM */
    mlreg_auth_fn auth;            /* else, and for mirrors, docker's config.json with its helpers, then the containers
                                    * auth.json files */
    void *auth_user;
    mlreg_log_fn log;              /* silent */
    void *log_user;
} mlreg_session_options;
/** Open a place.
 *
 * @param location  "https://host[:port]" (or "http://…": loopback, or with MLREG_OPEN_PLAIN_HTTP), "oci:DIR",
 *         "memory:", or the directory of a store
 * @param opts      NULL: all defaults
 * @return 0; ENOTFOUND (no store or layout there, and no MLREG_OPEN_CREATE); ENOTSUP (a store of a newer format, a
 *         URL of another scheme); EDENIED (plain http to another host; no permission); EPROTO (there is something
 *         else there; a malformed registries.conf); EIO; ESTRUCT. Since 0.1. */
MLREG_API int mlreg_session_open(const char *location, const mlreg_session_options *opts, mlreg_session **out,
        mlreg_error **err);
/** Close a place and release it; its artifacts, streams and builders keep it alive. NULL is fine. Since 0.1. */
MLREG_API void mlreg_session_free(mlreg_session *s);
enum { MLREG_CAN_RANGE = 1 << 0, MLREG_CAN_REFERRERS = 1 << 1, MLREG_CAN_MOUNT = 1 << 2, MLREG_CAN_DELETE = 1 << 3 };
/** What this place can do, as far as is known by now (MLREG_CAN_*). Since 0.1. */
MLREG_API uint32_t mlreg_session_capabilities(const mlreg_session *s);

enum { MLREG_RESOLVE_VARIANT = 1 << 0 }; /* of an index: the entry that fits this machine best */
/* What is wanted of an index. Any field that is set means MLREG_RESOLVE_VARIANT too; with none of them an index is
 * what is found, as every other manifest is. */
typedef struct mlreg_resolve_options {
    uint32_t size, flags;          /* flags: MLREG_RESOLVE_* */
    const char *platform;          /* "os/arch[/variant]" in place of this machine's */
    const char *variant;           /* the entry of this name, whether it fits or not */
    const char *accelerator;       /* "none": as if there were no device; "cuda", "rocm": only entries for it */
    const char *precision;         /* preferred ones, the best first: "bf16 int8"; else the most bits that fit */
    const char *host;              /* a machine's description in place of this one: see mlreg_host_json */
} mlreg_resolve_options;
/** Find what a reference names and fetch its manifest, verified.
 *
 * Of an index, where `opts` want a variant, what fits best: the architecture's own; of these by accelerator, then the
 * precision that is preferred, compute capability, runtime, the architecture's level, CPU features, precision, memory.
 * An entry that is an index is looked into. From a registry that takes two requests, and one more for each index on the
 * way; from a store none.
 *
 * @param ref  "repo:tag" or "repo@sha256:<hex>"; for a layout "tag", ":tag" or "@sha256:<hex>"
 * @return 0; EINVAL (malformed, a host's description too); ENOTFOUND (also: what fits is named but not there); EAUTH,
 *         EDENIED; ENET, ETIMEDOUT; EDIGEST; EPROTO (no manifest); ELIMIT (over 4 MiB, indexes nested over 8 deep);
 *         ENOTSUP (digests that are not sha256; a layout of a newer version; no entry fits: the message lists what there
 *         is and what was missing); ECANCELLED; EIO; ESTRUCT. OCI distribution-spec 1.1, "Pulling manifests". Since 0.1. */
MLREG_API int mlreg_session_resolve(mlreg_session *s, const char *ref, const mlreg_resolve_options *opts, mlreg_op *op,
        mlreg_artifact **out, mlreg_error **err);
/** The entries of an index, the best fit first, those that do not fit behind; an empty list if `ref` names no index.
 *
 * The name is the variant's, "" if it has none. Annotations as mlreg_builder_add_child writes them, and two more:
 * "io.github.libmlreg.variant.fit" is "chosen", "fits" or "no", with a reason behind ": ", and
 * "io.github.libmlreg.variant.absent" is "true" where a store has the index without that entry.
 *
 * @return as mlreg_session_resolve. Since 0.1. */
MLREG_API int mlreg_session_variants(mlreg_session *s, const char *ref, const mlreg_resolve_options *opts, mlreg_op *op,
        mlreg_list **out, mlreg_error **err);
/** What this machine is, as JSON: "os", "architecture", "variant", "cpu_features", "memory_bytes" (a control group's
 * limit counts), "accelerators" (each "kind", "name", "compute", "memory_bytes", "driver", "runtime") and "notes", which
 * say what keeps a device from being used.
 *
 * Looked at once, without a CUDA context; *json lives as long as the process. Codes: EIO. Since 0.1. */
MLREG_API int mlreg_host_json(const char **json, mlreg_error **err);
/** The tags of a repository, sorted. Codes: ENOTFOUND, EAUTH, EDENIED, ENET, ETIMEDOUT, EPROTO, ELIMIT, ENOTSUP,
 * ECANCELLED, EIO. OCI distribution-spec 1.1, "Listing tags". Since 0.1. */
MLREG_API int mlreg_session_tags(mlreg_session *s, const char *repo, mlreg_op *op, mlreg_list **out, mlreg_error **err);
/** The repositories of a place, sorted. Codes: as mlreg_session_tags; ENOTSUP where a registry has no catalogue, as
 * many have none. Since 0.1. */
MLREG_API int mlreg_session_repositories(mlreg_session *s, mlreg_op *op, mlreg_list **out, mlreg_error **err);
/** What refers to an artifact by `subject`: descriptors, each checked by reading it; artifact_type NULL: of any type.
 *
 * Asks the referrers API, else reads the fallback tag. By digest `ref` need not be there itself: referrers may come
 * before their subject. Codes: as mlreg_session_resolve. OCI distribution-spec 1.1,
 * "Listing referrers". Since 0.1. */
MLREG_API int mlreg_session_referrers(mlreg_session *s, const char *ref, const char *artifact_type, mlreg_op *op,
        mlreg_list **out, mlreg_error **err);
/** Remove a tag, or with a digest a manifest and every tag on it; blobs go when the place collects them (a store:
 * mlreg_session_gc).
 *
 * Codes: ENOTFOUND, EAUTH, EDENIED, ENOTSUP (the registry forbids it; a manifest that goes with its index), ENET,
 * ETIMEDOUT, EDIGEST, EPROTO, ELIMIT, EBUSY, ECANCELLED, EIO. After a failure it is there still, or gone.
 * OCI distribution-spec 1.1, "Content management". Since 0.1. */
MLREG_API int mlreg_session_delete(mlreg_session *s, const char *ref, mlreg_op *op, mlreg_error **err);
/** Check name and password against a registry and keep them where docker keeps its own: the helper that config.json
 * names, else config.json.
 *
 * @param where  one name: where they were kept; NULL if not wanted
 * @return 0; EAUTH (refused: nothing was kept); ENOTFOUND (something other than a registry answers); ENOTSUP (a place
 *         that is no registry); EDENIED, EBUSY, EIO (cannot be written: the old file stands); EPROTO (a file that cannot
 *         be read as it is); ENET, ETIMEDOUT, ELIMIT, ECANCELLED. Since 0.1. */
MLREG_API int mlreg_session_login(mlreg_session *s, const char *name, const char *secret, mlreg_op *op,
        mlreg_list **where, mlreg_error **err);
/** Forget what mlreg_session_login, or docker login, kept for this registry. Codes: ENOTFOUND (there was nothing); as
 * login. Since 0.1. */
MLREG_API int mlreg_session_logout(mlreg_session *s, mlreg_op *op, mlreg_list **where, mlreg_error **err);

/* ---- lists ---- */
/** How many names or descriptors a list has. Since 0.1. */
MLREG_API size_t mlreg_list_count(const mlreg_list *l);
/** The i-th name: a tag, a repository, a problem; NULL past the end or where there is none. Since 0.1. */
MLREG_API const char *mlreg_list_name(const mlreg_list *l, size_t i);
/** The i-th descriptor; NULL past the end or where there is none. Since 0.1. */
MLREG_API const mlreg_descriptor *mlreg_list_descriptor(const mlreg_list *l, size_t i);
/** Release a list and all that was borrowed from it. NULL is fine. Since 0.1. */
MLREG_API void mlreg_list_free(mlreg_list *l);

/* ---- artifacts and descriptors -----------------------------------------------------------------------------------
 * An artifact is a manifest or an index that was fetched and verified; reading it costs nothing more. */
enum {
    MLREG_PART_SELF = 0, /* one: media type, digest and size of the manifest itself; its annotations */
    MLREG_PART_CONFIG,   /* one, or none */
    MLREG_PART_LAYER,
    MLREG_PART_CHILD,    /* of an index: one per manifest */
    MLREG_PART_SUBJECT   /* one, or none */
};
/** How many parts of a kind (MLREG_PART_*) it has; 0 for an unknown kind. Since 0.1. */
MLREG_API size_t mlreg_artifact_count(const mlreg_artifact *a, int32_t part);
/** The i-th part of a kind; NULL past the end. Since 0.1. */
MLREG_API const mlreg_descriptor *mlreg_artifact_at(const mlreg_artifact *a, int32_t part, size_t i);
/** The manifest's exact bytes, with a zero behind them; `len` NULL: not wanted. Since 0.1. */
MLREG_API const char *mlreg_artifact_json(const mlreg_artifact *a, size_t *len);
/** The repository that it was resolved in, and lives in. Since 0.1. */
MLREG_API const char *mlreg_artifact_repository(const mlreg_artifact *a);
/** Fetch the config's bytes, verified; they stay with the artifact. Codes: ENOTFOUND (it has none); ELIMIT (over 16
 * MiB); as mlreg_session_resolve. Since 0.1. */
MLREG_API int mlreg_artifact_config(mlreg_artifact *a, mlreg_op *op, const char **bytes, size_t *len,
        mlreg_error **err);
/** Release an artifact and all that was borrowed from it; its streams live on. NULL is fine. Since 0.1. */
MLREG_API void mlreg_artifact_free(mlreg_artifact *a);
/** The size of the content in bytes. Since 0.1. */
MLREG_API uint64_t mlreg_descriptor_bytes(const mlreg_descriptor *d);
/** The digest of the content, "sha256:<hex>". Never NULL. Since 0.1. */
MLREG_API const char *mlreg_descriptor_digest(const mlreg_descriptor *d);
/** The media type of the content. Never NULL. OCI image-spec 1.1, "Content Descriptors". Since 0.1. */
MLREG_API const char *mlreg_descriptor_media_type(const mlreg_descriptor *d);
/** What the content is for ("artifactType"); NULL if it says nothing. Since 0.1. */
MLREG_API const char *mlreg_descriptor_artifact_type(const mlreg_descriptor *d);
/** The file that a layer stands for, as its maker wrote it, unchecked; NULL if none is named. Since 0.1. */
MLREG_API const char *mlreg_descriptor_title(const mlreg_descriptor *d);
/** "os/architecture[/variant]" of an index's entry; NULL if none. Since 0.1. */
MLREG_API const char *mlreg_descriptor_platform(const mlreg_descriptor *d);
/** The annotation under `key`; NULL if there is none. Since 0.1. */
MLREG_API const char *mlreg_descriptor_annotation(const mlreg_descriptor *d, const char *key);
/** The i-th annotation: 0, or ENOTFOUND past the last. Since 0.1. */
MLREG_API int mlreg_descriptor_annotation_at(const mlreg_descriptor *d, size_t i, const char **key, const char **value);

/* ---- transfer ---- */
enum {
    MLREG_COPY_MOVE_TAG  = 1 << 0, /* a tag that names something else in `to` is moved */
    MLREG_COPY_REFERRERS = 1 << 1, /* what refers to the artifact comes along */
    MLREG_COPY_ALL_VARIANTS = 1 << 2, /* an index that `from` has in part only is ENOTFOUND */
    MLREG_COPY_FOREIGN = 1 << 3    /* layers that are not to be distributed come along, see below */
};
typedef struct mlreg_copy_options {
    uint32_t size, flags;          /* flags: MLREG_COPY_* */
    const char *expect_digest;     /* with MOVE_TAG: only if the tag is at this digest now */
    const mlreg_resolve_options *variant; /* of an index only the entry that these choose; not with ALL_VARIANTS */
} mlreg_copy_options;
/** Copy an artifact, and every blob it names, from one place to another.
 *
 * This one verb is pull (registry to store), push (store to registry), promote (registry to registry), export and,
 * within one place, tag. An index takes its children along, all of them or the one that `variant` chooses: a store,
 * layout or memory then has the index in part, notes what is absent, and takes more entries by later copies; a
 * registry, which cannot, gets the chosen manifest under the tag. A part goes on as a part, and to no registry
 * (ENOTFOUND).
 *
 * Atomic: blobs land by digest as they are verified, and outlive a failure, so calling again moves only what is missing;
 * the manifest's bytes are kept exactly; the tag moves last, and away from another digest only with MOVE_TAG.
 *
 * An image's layers that are not to be distributed (of OCI's "nondistributable" and docker's "foreign" types, with
 * "urls") stay where they are: no place gets their bytes, the manifest keeps the addresses, and a store records them as
 * absent. With MLREG_COPY_FOREIGN they are brought like others, and where `from` lacks them from one of their addresses:
 * without credentials, and verified. Other layers with "urls" are copied as if they had none.
 *
 * @param from  where it is now
 * @param ref   "repo:tag" or "repo@sha256:<hex>", relative to `from`
 * @param to    a writable place
 * @param as    the name it gets in `to`; NULL keeps `ref`; without tag and digest it takes ref's
 * @param out   the artifact as it now is in `to`; NULL if not wanted
 * @return 0; ENOTFOUND (also: no tag where a digest was expected), EAUTH, EDENIED; EEXISTS (the tag names something
 *         else: said before a byte moves); ENET, ETIMEDOUT (call again to resume); EDIGEST (that blob was dropped);
 *         EPROTO; ELIMIT; ENOTSUP (as mlreg_session_resolve); ECANCELLED; EBUSY; EIO; ESTRUCT. OCI distribution-spec
 *         1.1, "Pull", "Push". Since 0.1. */
MLREG_API int mlreg_copy(mlreg_session *from, const char *ref, mlreg_session *to, const char *as,
        const mlreg_copy_options *opts, mlreg_op *op, mlreg_artifact **out, mlreg_error **err);
typedef struct mlreg_checkout_options {
    uint32_t size, flags;          /* flags: none yet */
    const char *const *include;    /* glob patterns ('*', '?', '**'): only files that match one; none: all */
    const char *const *exclude;    /* and not these */
    size_t n_include, n_exclude;
} mlreg_checkout_options;
/** Write an artifact's files into a folder, straight from wherever it lives.
 *
 * Names are checked before a byte is fetched; a file appears whole and verified or not at all; one that is there
 * with the right content stays untouched; files that the artifact does not name stay too. Calling again after a
 * failure or a kill goes on with a large file where it broke off; until a call succeeds, that lies in DIR/.mlreg-partial.
 * Layers that are tar, tar+gzip or tar+zstd are unpacked, files and folders only, once all names in all of them are
 * known and sound.
 *
 * @param dir  made if missing; its parent must be there
 * @return 0; EINVAL (a title that is no safe relative path, or two that clash); EDENIED (a link is in the way, or
 *         in an archive); EEXISTS (a folder where a file goes, or the other way round); ENOTFOUND; EAUTH; ENET,
 *         ETIMEDOUT; EDIGEST; ENOTSUP (an index: choose one of its manifests; no layer that is a file); ELIMIT (an
 *         archive that unpacks to too much); EPROTO; ECANCELLED; EIO; ESTRUCT. Since 0.1. */
MLREG_API int mlreg_checkout(mlreg_artifact *a, const char *dir, const mlreg_checkout_options *opts, mlreg_op *op,
        mlreg_error **err);

enum {
    MLREG_UNPACK_ROOTLESS = 1 << 0, /* as a plain user would, were it root that asks */
    MLREG_UNPACK_FOREIGN  = 1 << 1  /* layers that are not to be distributed are fetched, as MLREG_COPY_FOREIGN does */
};
typedef struct mlreg_image_unpack_options {
    uint32_t size, flags;          /* flags: MLREG_UNPACK_* */
    const char *path;              /* only what lies there in the image, put into `dir` itself, a file under its own
                                    * name; default: all of it */
    const char *const *layers;     /* digests: as if the image had only these layers; default: all */
    size_t n_layers;
} mlreg_image_unpack_options;
/** Unpack an image, its layers in order, into a folder: the root file system that a container would see.
 *
 * Layers are tar, tar+gzip or tar+zstd, of OCI's types or docker's; each is checked against its digest before it is
 * decoded, and against the config's diff_id. All of it is unpacked beside `dir` and gets its name at the end: `dir` is
 * whole or as it was. Links in the image lead within the image, never out of it. Names with ".." and hard links to what
 * was not unpacked are refused; a "/" in front falls away. Devices and sockets are left out. Owners and set-uid bits are
 * those of the image where root unpacks; else all is the caller's, without set-uid and set-gid bits. Extended
 * attributes are not taken over.
 *
 * With opts->path layers are looked at from the last one down, and no more are fetched once one of them says alone what
 * lies there: a file or link, nothing at all, or a folder that hides what earlier layers have in it. Layers that name
 * another file as theirs are not fetched at all. With opts->layers no other layer is fetched, and what others would add
 * to these, replace or remove is not seen: they are those that mlreg_image_find gives for the files that are wanted.
 *
 * @param dir  not there yet, or an empty folder; its parent must be there
 * @return 0; EEXISTS (not empty, a link, or no folder); EINVAL (a name with ".."; a digest of no layer); ENOTFOUND
 *         (nothing at opts->path); ENOTSUP (no image: see mlreg_checkout; an index); EPROTO (a config that names other
 *         layers; a link to nowhere); EDIGEST; ELIMIT (over 1 TiB, 2,000,000 files or 200 folders deep); EAUTH; EDENIED; ENET, ETIMEDOUT;
 *         ECANCELLED; EIO; ESTRUCT. Since 0.1. */
MLREG_API int mlreg_image_unpack(mlreg_artifact *a, const char *dir, const mlreg_image_unpack_options *opts,
        mlreg_op *op, mlreg_error **err);
/** The files of an image that lie at a path, or match a pattern, as a container would see them; without: those that are
 * models, by their content (safetensors, gguf, onnx, …) or, where that says nothing, their name.
 *
 * The name is the path, and the descriptor that of the layer that holds the file, with the path as its title and the
 * annotations "io.github.libmlreg.image.bytes" and, where it is known, "io.github.libmlreg.image.format". A plain layer
 * that names its one file, as mlreg_builder_add_tree with MLREG_LAYER_EACH makes them, is looked at by range and not
 * verified; every other layer is read to its end, from a registry too. Names that are not UTF-8 and hard links are left out.
 *
 * @param path  "/models", or a pattern as in mlreg_checkout_options; NULL: models
 * @return 0; ENOTSUP (no image; an index); EINVAL (a name with ".."); ELIMIT (over 100,000 files); ENOTFOUND; EAUTH;
 *         EDENIED; ENET, ETIMEDOUT; EDIGEST; EPROTO; ECANCELLED; EIO. Since 0.1. */
MLREG_API int mlreg_image_find(mlreg_artifact *a, const char *path, mlreg_op *op, mlreg_list **out, mlreg_error **err);

/* ---- stream ------------------------------------------------------------------------------------------------------
 * One layer's bytes, wherever they are. From a store they are read in place. From a registry the layer is first
 * brought, verified, into memory or an unlinked temporary file; with MLREG_STREAM_UNVERIFIED it is read as it arrives,
 * and the last read of a whole pass reports a wrong digest. */
enum {
    MLREG_STREAM_UNVERIFIED = 1 << 0,
    MLREG_STREAM_FILE       = 1 << 1 /* of a layer that is a plain tar of one file: that file; ENOTSUP for any other
                                      * tar. A layer that is none is the file itself */
};
typedef struct mlreg_stream_options {
    uint32_t size, flags;          /* flags: MLREG_STREAM_* */
    uint64_t offset;               /* bytes from the layer's, with FILE the file's start: where the stream begins */
    uint64_t bytes;                /* its length; 0: to the end */
} mlreg_stream_options;
/** Open a layer for reading. `op` serves the opening and every later read. Codes: ENOTFOUND; EINVAL (no such layer, a
 * range past its end); ENOTSUP (MLREG_STREAM_FILE of another tar); EAUTH, EDENIED, ENET, ETIMEDOUT, EDIGEST, EPROTO,
 * ELIMIT, ECANCELLED, EIO, ESTRUCT. OCI distribution-spec 1.1, "Pulling blobs". Since 0.1. */
MLREG_API int mlreg_stream_open(mlreg_artifact *a, size_t layer, const mlreg_stream_options *opts, mlreg_op *op,
        mlreg_stream **out, mlreg_error **err);
/** Read on: at most `len` bytes, fewer only at the end; 0 there. Codes: EDIGEST, EAUTH, EDENIED, ENOTFOUND, ENET,
 * ETIMEDOUT, EPROTO, ELIMIT, ENOTSUP, ECANCELLED, EIO. After a failure `buf` is undefined. Since 0.1. */
MLREG_API int64_t mlreg_stream_read(mlreg_stream *s, void *buf, size_t len, mlreg_error **err);
/** Read `len` bytes at `offset` of the stream into `buf`, fewer only at its end; the stream's own position does not move.
 * Any number of threads at once. Codes: as mlreg_stream_read. After a failure `buf` is undefined, and the stream as good
 * as before. Since 0.1. */
MLREG_API int64_t mlreg_stream_read_at(mlreg_stream *s, uint64_t offset, void *buf, size_t len, mlreg_error **err);
/** Set the position of the next mlreg_stream_read, in bytes from the stream's start. Codes: EINVAL past the end.
 * Since 0.1. */
MLREG_API int mlreg_stream_seek(mlreg_stream *s, uint64_t offset, mlreg_error **err);
/** The length of the stream in bytes. Since 0.1. */
MLREG_API uint64_t mlreg_stream_bytes(const mlreg_stream *s);
/** Release a stream. NULL is fine. Since 0.1. */
MLREG_API void mlreg_stream_free(mlreg_stream *s);
/** A read-only descriptor of a verified layer in a store, to mmap or sendfile; close it yourself. Codes: ENOTSUP
 * elsewhere; EINVAL (no such layer); ENOTFOUND; EDENIED (a link, or no permission); EPROTO (no file); EIO.
 * Since 0.1. */
MLREG_API int mlreg_artifact_open_fd(const mlreg_artifact *a, size_t layer, int *fd, mlreg_error **err);
/** Where in a layer's bytes the file lies that the layer stands for: all of them, or a part of a plain tar of one file.
 * With mlreg_artifact_open_fd that is what to map: in tars that this library makes it begins at a page. Only the tar's
 * headers are read; elsewhere than in a store nothing vouches for them. Codes: ENOTSUP (a packed tar, or not of one
 * file); as mlreg_stream_open. Since 0.1. */
MLREG_API int mlreg_artifact_file_range(const mlreg_artifact *a, size_t layer, mlreg_op *op, uint64_t *offset,
        uint64_t *bytes, mlreg_error **err);

/* ---- builder -----------------------------------------------------------------------------------------------------
 * new -> set and add, in any order -> commit, once; any other order is ESTATE. Bytes are read, hashed and written at
 * commit, many layers at a time, and nothing can be found before it returns. Same input, same digest. */
/* Bytes that can be read again, so that an upload can start over: a tensor in memory, a file, an object. The library
 * reads from it until the builder is committed or freed, then calls `release`, once, if there is one; on a failed add
 * too. */
typedef struct mlreg_source {
    uint32_t size, flags;          /* flags: none yet */
    uint64_t bytes;                /* exact */
    void *user;
    /* Bytes read, 0 only at the end; or a negative MLREG_E*. */
    int64_t (*read_at)(void *user, uint64_t offset, void *buf, size_t len);
    void (*release)(void *user);   /* NULL: nothing to do */
} mlreg_source;
enum {
    MLREG_BUILD_ARTIFACT = 0,
    MLREG_BUILD_IMAGE    = 1,      /* an OCI image that can be run: every layer is a tar */
    MLREG_BUILD_INDEX    = 2       /* manifests, each for another kind of machine, in place of layers and config */
};
/* A tar is page-aligned: the bytes of a file that is alone in it, or a page of 4 KiB long at least, begin at a page, so
 * that they can be mapped and read by range. Its members are sorted, belong to 0:0, have mode 0755 or 0644 and the time
 * SOURCE_DATE_EPOCH, else 0. The same files give the same tar, and packed the same diff_id. */
enum {
    MLREG_LAYER_TAR  = 1 << 0,     /* each file in a tar of its own, of ModelPack's ".tar" types: what an image's layer is too */
    MLREG_LAYER_GZIP = 1 << 1,     /* the tar packed by gzip; */
    MLREG_LAYER_ZSTD = 1 << 2,     /* or by zstd */
    MLREG_LAYER_EACH = 1 << 3      /* of a tree in an image: each file a layer of its own, hidden ones left out */
};
typedef struct mlreg_layer_options {
    uint32_t size, flags;          /* flags: MLREG_LAYER_* */
    const char *media_type;        /* default: by content and name, ModelPack v0.0.7; of an image's layer: OCI's */
    const char *title;             /* the file's path in the artifact or image; default: its name; of a tree: a prefix */
} mlreg_layer_options;
typedef struct mlreg_image_options {
    uint32_t size, flags;          /* flags: none yet */
    const char *platform;          /* "os/architecture[/variant]"; default: the base's, else this machine's */
    const char *user, *workdir;    /* NULL, here and below: the base's */
    const char *const *env;        /* "NAME=value" each, added to the base's */
    const char *const *labels;     /* "key=value" each, likewise */
    const char *const *ports;      /* "8080" or "8080/tcp" each, likewise */
    const char *const *entrypoint; /* replaces the base's, and its cmd */
    const char *const *cmd;
    size_t n_env, n_labels, n_ports, n_entrypoint, n_cmd;
} mlreg_image_options;
typedef struct mlreg_commit_options {
    uint32_t size, flags;          /* flags: MLREG_COPY_MOVE_TAG */
    const char *expect_digest;     /* with MOVE_TAG: only if ref's own tag is at this digest now */
    const char *const *also;       /* further tags */
    size_t n_also;
} mlreg_commit_options;
/** Begin a manifest in a store, a layout, memory, or straight in a registry.
 *
 * @param kind           MLREG_BUILD_*
 * @param artifact_type  NULL: of an image or index none; else a ModelPack, whose config is filled from its files:
 *         "application/vnd.cncf.model.manifest.v1+json"
 * @return 0; EDENIED (the place is read-only); EINVAL (SOURCE_DATE_EPOCH is no number). Since 0.1. */
MLREG_API int mlreg_builder_new(mlreg_session *to, int32_t kind, const char *artifact_type, mlreg_builder **out,
        mlreg_error **err);
/** Use these bytes as config in place of the one that would be made. Codes: ESTATE; ELIMIT (over 16 MiB). Since 0.1. */
MLREG_API int mlreg_builder_set_config(mlreg_builder *b, const char *media_type, const void *data, size_t len,
        mlreg_error **err);
/** Make it refer to the manifest of this digest in the same repository. Codes: ESTATE; ENOTSUP (a digest that is not
 * sha256); at commit ENOTFOUND. Since 0.1. */
MLREG_API int mlreg_builder_set_subject(mlreg_builder *b, const char *digest, mlreg_error **err);
/** Annotate the manifest; a key set again is replaced. Codes: ESTATE; EINVAL (an empty key, one that
 * differs from another by case only, text that is no UTF-8); ELIMIT. Since 0.1. */
MLREG_API int mlreg_builder_set_annotation(mlreg_builder *b, const char *key, const char *value, mlreg_error **err);
/** Of an image: how it is run. What is not set is the base's; a call adds to what earlier ones set. Codes: ESTATE;
 * EINVAL (no image builder, a text without its "="; a platform that is none); ESTRUCT. OCI image-spec 1.1, "Image
 * Configuration". Since 0.1. */
MLREG_API int mlreg_builder_set_image(mlreg_builder *b, const mlreg_image_options *opts, mlreg_error **err);
/** Of an image: what it is made on, a docker or OCI image in any place, whose layers, history and config it inherits.
 * Only the config is read, now. At commit its blobs are mounted where they can be; a store records those that it has not
 * got as absent, with where they are, and another registry gets them from there; those that are not to be distributed
 * stay where they are, with their addresses.
 *
 * Nothing of the base is hidden that was not meant: a commit is refused, before anything is sent or written, where a new
 * layer makes a file of what is a folder there, or a link to one, or a folder of what is a file or a link. A folder that
 * merely leads to what is added is not named in the layer where the base has a link to a folder: a runtime goes through
 * it. For this, names are read of those layers that the base's place, if it is a store, a layout or memory, holds on this
 * machine, each once: they are remembered in the user's cache. Of a layer that is elsewhere (in a registry, or absent) and
 * was never read, or is no sound tar, and of those below it, nothing is known, and nothing is refused.
 *
 * Codes: ESTATE; EINVAL (an index: resolve one of its manifests; no image; at commit: for another platform than the one
 * that was set; a path that is something else there); EPROTO (a config that lies about its layers); and as
 * mlreg_artifact_config. Since 0.1. */
MLREG_API int mlreg_builder_set_base(mlreg_builder *b, mlreg_artifact *base, mlreg_error **err);
/** Add every file below a folder, each as one raw layer, in the order of their paths; hidden files and folders
 * (".git") are left out, links to files count as the files. Of an image: the folder as it is, hidden files, links and
 * empty folders too, as one layer, if not MLREG_LAYER_EACH; then weights come first, data, configuration, documents and
 * code behind them.
 *
 * Codes: ESTATE; ENOTFOUND; EINVAL (empty, holds a FIFO, a device, a link to a folder, or a name that could not be
 * checked out); EDENIED (a folder that cannot be read); ELIMIT (more files than a manifest of 4 MiB can name: about
 * 10,000); ECANCELLED; EIO; ESTRUCT. A failed call adds nothing. What only shows when the files are read (no permission,
 * a change meanwhile: EIO) fails the commit. Since 0.1. */
MLREG_API int mlreg_builder_add_tree(mlreg_builder *b, const mlreg_layer_options *opts, const char *dir, mlreg_op *op,
        mlreg_error **err);
/** Add one file as one raw layer. Codes: as mlreg_builder_add_tree. Since 0.1. */
MLREG_API int mlreg_builder_add_file(mlreg_builder *b, const mlreg_layer_options *opts, const char *path, mlreg_op *op,
        mlreg_error **err);
typedef struct mlreg_pip_options {
    uint32_t size, flags;          /* flags: MLREG_LAYER_GZIP, MLREG_LAYER_ZSTD */
    const char *target;            /* the folder in the image; default: "/opt/python" */
    const char *python;            /* the machine's Python, found on PATH; default: "python3" */
    const char *python_version;    /* "3.11": the image's, where it is not the machine's */
    const char *const *args;       /* more for pip: "--no-index", "--find-links=DIR" */
    size_t n_args;
} mlreg_pip_options;
/** Of an image: add what a requirements file asks for as one layer, installed at commit by this machine's pip, without
 * compiled files and without paths or times of this machine; PYTHONPATH is set to it unless it is set otherwise. For
 * another platform than this machine's, set before this call, or another version only wheels are taken. Where every
 * requirement is pinned ("==") the layer is remembered, and pip does not run again as long as the place has it.
 *
 * Codes: as mlreg_builder_add_file; at commit also EINVAL (pip cannot install it: its last line says why), ENOTSUP (no
 * pip), ETIMEDOUT (an hour). Since 0.1. */
MLREG_API int mlreg_builder_add_pip(mlreg_builder *b, const mlreg_pip_options *opts, const char *requirements,
        mlreg_op *op, mlreg_error **err);
/** Add a layer that an artifact has already, wherever that lives: mounted or linked where that is possible, else copied.
 * Where the builder makes an image and the layer is a file of its own, or the builder is asked for a tar, it is wrapped
 * in one, once; a tar is taken as it is. `opts` NULL: its own title; a media type of its own kind. Codes: as
 * mlreg_builder_add_file; EINVAL (no such layer; a packed tar of which nobody says what is inside); and as
 * mlreg_artifact_config, which is read of an artifact that has one. Since 0.1. */
MLREG_API int mlreg_builder_add_layer_of(mlreg_builder *b, const mlreg_layer_options *opts, mlreg_artifact *from,
        size_t layer, mlreg_error **err);
/** Add bytes of your own as one layer; opts->title is required. Codes: as mlreg_builder_add_tree, and what the source
 * returns. Since 0.1. */
MLREG_API int mlreg_builder_add_source(mlreg_builder *b, const mlreg_layer_options *opts, const mlreg_source *src,
        mlreg_op *op, mlreg_error **err);
/* One entry of an index, and what it needs of a machine; what is not set is not needed. Each is an annotation of the
 * entry, "io.github.libmlreg.variant." and the field's name ("memory" is in bytes), so that every other tool carries
 * it; platform is OCI's own. Lists have blanks between. */
typedef struct mlreg_variant_options {
    uint32_t size, flags;          /* flags: none yet */
    const char *name;              /* "cpu", "cuda-12.4": lower-case letters, digits, "-._"; once for each platform */
    const char *platform;          /* "os/arch[/variant]"; default: as an image's config says; others: any */
    const char *accelerator;       /* "none", "cuda", "rocm" or another kind; default: as the name begins, else none */
    const char *compute;           /* least compute capability "8.0", or gfx targets: "gfx90a gfx942" */
    const char *driver, *runtime;  /* least versions: "535.54", and of what the driver supports: "12.2" */
    const char *cpu;               /* features, as Linux names them: "avx512f amx_tile", "sve" */
    const char *precision;         /* "bf16", "int8", "q4_k_m" */
    const char *format;            /* "safetensors", "gguf": for people */
    uint64_t memory_bytes;         /* of the accelerators together, else of the machine */
} mlreg_variant_options;
/** Begin an index with what another one has, which is then changed: entries, annotations and members that are not known
 * here are kept byte for byte. To be called before anything is added, and once; to put it under the same tag again,
 * commit with its digest as expect_digest. Codes: ESTATE; EINVAL (no index); ELIMIT (over 1,000 entries). Since 0.1. */
MLREG_API int mlreg_builder_add_children_of(mlreg_builder *b, mlreg_artifact *index, mlreg_error **err);
/** Add an artifact, image or index as an entry of an index. At commit it is copied, or mounted, to where the index goes.
 * Entries that need nothing stand first, so that who knows platforms alone takes one of those. Codes: ESTATE (no
 * index); EINVAL (a name or requirement that is none; the index itself; at commit: a name twice); ELIMIT (over 1,000
 * entries); ESTRUCT. Since 0.1. */
MLREG_API int mlreg_builder_add_child(mlreg_builder *b, mlreg_artifact *child, const mlreg_variant_options *opts,
        mlreg_error **err);
/** Take out the entries of this name, or of this digest. Codes: ESTATE; ENOTFOUND. Since 0.1. */
MLREG_API int mlreg_builder_remove_child(mlreg_builder *b, const char *name, mlreg_error **err);
/** Write config and manifest, then the tags. Nothing can be found before this returns 0; where one of the tags may not
 * be put, none is.
 *
 * @param ref  "repo:tag", or "repo" for an artifact that is known by its digest alone
 * @return 0; ESTATE; EINVAL (no layer and no config; an index without entries; a digest in `ref`); EEXISTS (a tag names
 *         something else); ENOTFOUND (the subject); and as mlreg_copy. Since 0.1. */
MLREG_API int mlreg_builder_commit(mlreg_builder *b, const char *ref, const mlreg_commit_options *opts, mlreg_op *op,
        mlreg_artifact **out, mlreg_error **err);
/** Release a builder; what was not committed cannot be found, and gc takes what it wrote. Sources are released. NULL
 * is fine. Since 0.1. */
MLREG_API void mlreg_builder_free(mlreg_builder *b);

/* ---- content by digest -------------------------------------------------------------------------------------------
 * For programs that are a registry to others, and so are asked for blobs and manifests one by one; examples/server is
 * one. Everybody else is better served by mlreg_copy. Of the places a store has all of it; elsewhere what is missing
 * is ENOTSUP. A repository that nothing was put into yet is made by the first blob or manifest. */
/** Look whether a repository has a blob, and how long it is.
 *
 * In a store that may be written to, what was found, mounted or uploaded is from then on safe from gc, in whatever
 * process, as content of a copy in progress is: until a manifest that names it is put into that repository,
 * mlreg_session_release, or the session's end.
 *
 * @param bytes  its size; NULL if not wanted
 * @return 0; ENOTFOUND; ENOTSUP (no store, layout or memory; a digest that is not sha256); EPROTO, EBUSY, ECANCELLED,
 *         EIO. OCI distribution-spec 1.1, "Checking if content exists in the registry". Since 0.1. */
MLREG_API int mlreg_session_blob(mlreg_session *s, const char *repo, const char *digest, mlreg_op *op,
        uint64_t *bytes, mlreg_error **err);
/** Open a blob of a store that was verified when it came: a read-only descriptor, to mmap or sendfile; close it
 * yourself. gc does not take it from you. Codes: ENOTFOUND; ENOTSUP (elsewhere, and for a file that another tool put
 * there); EDENIED, EPROTO, ECANCELLED, EIO. OCI distribution-spec 1.1, "Pulling blobs". Since 0.1. */
MLREG_API int mlreg_session_blob_fd(mlreg_session *s, const char *repo, const char *digest, mlreg_op *op, int *fd,
        uint64_t *bytes, mlreg_error **err);
/** Make a blob of the repository `from` known to `repo` in the same place. Codes: ENOTFOUND (`from` has none); EDENIED
 * (read only); ENOTSUP, EPROTO, EBUSY, ECANCELLED, EIO. OCI distribution-spec 1.1, "Mounting a blob from another
 * repository". Since 0.1. */
MLREG_API int mlreg_session_mount(mlreg_session *s, const char *repo, const char *digest, const char *from,
        mlreg_op *op, mlreg_error **err);
/** A blob that was found, mounted or uploaded is waited for no longer: gc may take it if nothing names it. One release
 * for each, in the same repository; too many are no error. Codes: EDENIED (read only), ENOTSUP (a digest that is not
 * sha256), EIO. Since 0.1. */
MLREG_API int mlreg_session_release(mlreg_session *s, const char *repo, const char *digest, mlreg_error **err);
/** Put a manifest or index, byte for byte. All that it names must be there, but for layers with URLs and its subject.
 *
 * @param ref         "repo:tag", "repo@sha256:<hex>" (which it must then have), or "repo"
 * @param media_type  as it was sent; NULL: as the manifest says
 * @param opts        MLREG_COPY_MOVE_TAG alone, and expect_digest
 * @param out         NULL if not wanted
 * @return 0; EPROTO (no manifest; another media type); ENOTFOUND (a part is not there); EINVAL (not that digest);
 *         EEXISTS (the tag names something else); ELIMIT (over 4 MiB); EDENIED (read only); ENOTSUP, EBUSY, ECANCELLED,
 *         EIO, ESTRUCT. OCI distribution-spec 1.1, "Pushing manifests". Since 0.1. */
MLREG_API int mlreg_session_put(mlreg_session *s, const char *ref, const char *media_type, const void *json, size_t len,
        const mlreg_copy_options *opts, mlreg_op *op, mlreg_artifact **out, mlreg_error **err);
/** Begin to upload a blob in pieces, or go on with one, after a restart too; a day after its last byte gc removes it.
 *
 * @param id  NULL: a new one; else what mlreg_upload_id said, in any process
 * @return 0; ENOTFOUND (none in this repository: finished, cancelled or too old); EBUSY (another call holds it);
 *         EDENIED (read only); ENOTSUP (no store); ECANCELLED, EIO. OCI distribution-spec 1.1, "Pushing blobs".
 *         Since 0.1. */
MLREG_API int mlreg_upload_open(mlreg_session *s, const char *repo, const char *id, mlreg_op *op, mlreg_upload **out,
        mlreg_error **err);
/** Its name, 32 letters and digits that nobody can guess. Since 0.1. */
MLREG_API const char *mlreg_upload_id(const mlreg_upload *u);
/** How many bytes it has. Since 0.1. */
MLREG_API uint64_t mlreg_upload_bytes(const mlreg_upload *u);
/** Add bytes at its end; they are hashed on the way. Codes: EIO (then it is as before). Since 0.1. */
MLREG_API int mlreg_upload_write(mlreg_upload *u, const void *data, size_t len, mlreg_error **err);
/** From now on a killed process loses none of its bytes. A power cut may, and then what is left is hashed again. Codes:
 * EIO. Since 0.1. */
MLREG_API int mlreg_upload_keep(mlreg_upload *u, mlreg_error **err);
/** It is whole: check it and make it a blob of its repository, durably. Free it afterwards. Codes: EDIGEST, ENOTSUP (a
 * digest that is not sha256): it is as before; EBUSY, ECANCELLED, EIO: it takes no more, begin another. Since 0.1. */
MLREG_API int mlreg_upload_commit(mlreg_upload *u, const char *digest, mlreg_op *op, mlreg_error **err);
/** Nothing of it will be kept once it is freed. NULL is fine. Since 0.1. */
MLREG_API void mlreg_upload_cancel(mlreg_upload *u);
/** Let go of it; what was kept can be gone on with. NULL is fine. Since 0.1. */
MLREG_API void mlreg_upload_free(mlreg_upload *u);

/* ---- upkeep of a store or layout ---- */
enum { MLREG_GC_DRY_RUN = 1 << 0 };
typedef struct mlreg_gc_options {
    uint32_t size, flags;          /* flags: MLREG_GC_* */
    uint64_t grace_ms;             /* blobs younger than this stay; default one hour; MLREG_NONE: no grace */
} mlreg_gc_options;
typedef struct mlreg_gc_report {
    uint32_t size, reserved;
    uint64_t blobs, bytes;         /* removed, or with DRY_RUN to be removed */
} mlreg_gc_report;
/** Remove blobs that no manifest names. Blobs of copies and builds in progress, in any process, are safe. Codes:
 * ENOTSUP; EDENIED; EBUSY; EIO; ECANCELLED; EPROTO (a manifest that cannot be read: nothing was removed; run
 * mlreg_session_fsck); ESTRUCT. Since 0.1. */
MLREG_API int mlreg_session_gc(mlreg_session *s, const mlreg_gc_options *opts, mlreg_op *op, mlreg_gc_report *inout,
        mlreg_error **err);
enum { MLREG_FSCK_REPAIR = 1 << 0 };
/** Read everything and name what is broken, one line a problem; with MLREG_FSCK_REPAIR mend what can be mended (bad
 * blobs are moved away, lost links made, a damaged index.json restored) and say so in the line. Codes: ENOTSUP;
 * EDENIED; EBUSY; EIO; ECANCELLED. Problems are no failure. Since 0.1. */
MLREG_API int mlreg_session_fsck(mlreg_session *s, uint32_t flags, mlreg_op *op, mlreg_list **problems,
        mlreg_error **err);

#ifdef __cplusplus
}
#endif
#endif
