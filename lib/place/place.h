/* place/place.h - one interface to every place that holds artifacts; what a place can do is asked, never guessed from its kind. */
#ifndef MLR_PLACE_PLACE_H
#define MLR_PLACE_PLACE_H
#include "base/reader.h"
#include "base/runtime.h"
#include "place/ahead.h"
#include "place/incoming.h"
#include "place/manifest.h"
#include "place/ref.h"

typedef struct mlr_place mlr_place;
typedef struct mlr_blob { const char *repo; mlr_digest digest; uint64_t bytes; const char *media_type; } mlr_blob;   /* media_type may be NULL */
#define MLR_ANY_SIZE UINT64_MAX     /* of a blob that is known by its digest alone; no descriptor has it */
/* What may happen to a tag that is there with another digest. */
typedef struct mlr_tag_rule { bool move; mlr_digest expect; } mlr_tag_rule;   /* expect "" : any; else only off that digest */

struct mlr_absent;               /* place/absent.h */

typedef struct mlr_place_ops {   /* one constant table per kind; NULL is what the kind can never do. `err`s carry no place: place.c adds it */
    const char *kind;            /* for messages, never for decisions */
    void (*close)(mlr_place *p);
    /* names */
    int (*resolve)(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err);   /* ENOTFOUND. media type, digest, size; the index entry's artifact type, annotations where cheap */
    int (*tags)(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err);            /* ENOTFOUND for a repository that is not there */
    int (*repositories)(mlr_place *p, mlr_op *op, mlr_list *out, mlreg_error **err);
    /* manifests */
    int (*manifest_read)(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type, mlreg_error **err);   /* unverified; media_type may come back NULL */
    /* Durable when it returns. r->tag NULL: by digest only. EEXISTS (the tag is at another digest, the rule forbids: checked as tightly as the place can). */
    int (*manifest_write)(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m, mlr_op *op, mlreg_error **err);
    int (*remove)(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err);   /* a tag, or with a digest and no tag the manifest and every tag on it */
    int (*referrers)(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out, mlreg_error **err);   /* descriptors; candidates: place.c checks and filters them */
    /* blobs */
    int (*blob_has)(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err);                      /* 1, 0 */
    int (*blob_open)(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err);   /* ENOTFOUND. Not verified unless reader->trusted */
    int (*blob_later)(mlr_place *p, const mlr_blob *b, mlr_reader **out, mlreg_error **err);              /* NULL: blob_open. Opened without a word to anybody: the first read tells what opening would have */
    int (*blob_at)(mlr_place *p, const mlr_blob *b, const char *url, mlr_reader **out, mlreg_error **err);   /* NULL: it asks nobody. The same content at an address that a manifest names */
    int (*blob_wrong)(mlr_place *p, const mlr_blob *b, mlr_op *op);                                       /* NULL: it has them from one place only */
    int (*blob_write)(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err);     /* reads, checks size and digest, then publishes; there already: 0 */
    int (*gather)(mlr_place *p, bool begin, mlr_op *op, mlreg_error **err);                               /* NULL: it makes no difference */
    int (*mount)(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err);  /* 1 mounted, 0 not: upload it */
    /* A blob whose digest is not known yet: written while it is hashed, in one pass. NULL: hash first, then blob_write. */
    int (*blob_take)(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest, mlreg_error **err);
    int (*blob_take_ahead)(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op, mlr_digest *digest, mlreg_error **err);   /* likewise, while somebody else hashes it; NULL: blob_take */
    /* A blob that comes in pieces, from whoever asks us as a registry; all or none of the three. */
    int (*incoming)(mlr_place *p, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err);
    int (*arrive)(mlr_place *p, const char *repo, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err);
    int (*release)(mlr_place *p, const char *repo, const mlr_digest *d, mlreg_error **err);   /* nobody here needs it any more: gc decides */
    uint64_t (*max_blob)(const mlr_place *p);   /* bytes that a blob may have, as far as is known; NULL: any number */
    /* Blobs that are not here by design, place/absent.h; NULL: no record of that is kept. */
    int (*absent_note)(mlr_place *p, const mlr_blob *b, const struct mlr_absent *where, mlreg_error **err);
    int (*absent_find)(mlr_place *p, const mlr_digest *d, struct mlr_absent *out, mlreg_error **err);     /* 1, 0 */
    const char *(*location)(const mlr_place *p);   /* by which anybody can open it again; NULL: nobody can */
    /* Checks name and secret against the place, then keeps them; secret NULL: forgets them. *where (mlr_free): the file or helper. */
    int (*login)(mlr_place *p, const char *name, const char *secret, mlr_op *op, char **where, mlreg_error **err);
    /* upkeep, of places on disk */
    int (*gc)(mlr_place *p, const mlreg_gc_options *o, mlr_op *op, mlreg_gc_report *out, mlreg_error **err);
    int (*fsck)(mlr_place *p, uint32_t flags, mlr_op *op, mlr_list *problems, mlreg_error **err);
} mlr_place_ops;
struct mlr_place {               /* the first member of each kind's own struct */
    const mlr_place_ops *ops;
    char *name;                  /* "registry.example", "/var/models": every error from here carries it */
    _Atomic uint32_t can;        /* MLREG_CAN_*; a registry's powers are found by asking, while others look */
    bool read_only;
    bool far;                    /* every request waits for a network: many at once hide that */
    bool holds_parts;            /* takes an index without all that it names, and notes what is absent */
    bool one_repo;               /* answers to every repository's name, for it has but one */
    mlr_runtime *rt;             /* kept; released by mlr_place_close */
    uint64_t identity;           /* places that are the same one are equal: two sessions on one registry, one directory. Random for memory */
};

/* `location` as in mlreg_session_open. */
int  mlr_place_open(const char *location, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out, mlreg_error **err);
void mlr_place_close(mlr_place *p);       /* NULL is fine */

/* A reference as people write it here: where there is one repository only, a bare word is a tag. */
int mlr_place_ref(const mlr_place *p, const char *text, mlr_ref *out, mlreg_error **err);
/* 0, or EDENIED: for a refusal before the work; the calls below look again. */
int mlr_place_check_writable(const mlr_place *p, mlreg_error **err);

/* The only way in for the layers to the right: each checks, calls ops, adds the place to the error. */
int mlr_place_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err);
int mlr_place_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list **out, mlreg_error **err);             /* sorted */
int mlr_place_repositories(mlr_place *p, mlr_op *op, mlr_list **out, mlreg_error **err);                       /* sorted */
int mlr_place_manifest(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_manifest **out, mlreg_error **err);     /* read, digest checked if r has one, parsed */
int mlr_place_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m, mlr_op *op, mlreg_error **err);
int mlr_place_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err);
/* Each candidate's own subject is read and must be `subject` (F3); filtered by artifact type here. ENOTSUP never: the fallback tag serves. */
int mlr_place_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, const char *artifact_type, mlr_op *op, mlr_list **out, mlreg_error **err);
int mlr_place_check_size(mlr_place *p, const char *name, uint64_t bytes, mlreg_error **err);   /* ELIMIT for what it would refuse once it was sent */
int mlr_place_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err);
int mlr_place_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err);
int mlr_place_blob_find(mlr_place *p, const char *repo, const mlr_digest *d, mlr_op *op, mlr_reader **out, mlreg_error **err);   /* as open, where its size is not known yet; ENOTSUP for places that ask others */
int mlr_place_incoming(mlr_place *p, const char *repo, const char *id, mlr_op *op, mlr_incoming **out, mlreg_error **err);     /* id NULL: a new one */
int mlr_place_arrive(mlr_place *p, const char *repo, mlr_incoming *in, const mlr_digest *d, mlr_op *op, mlreg_error **err);
int mlr_place_release(mlr_place *p, const char *repo, const mlr_digest *d, mlreg_error **err);
int mlr_place_blob_later(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err);    /* as open, but far places are asked at the first read only: whoever finds it is not needed has cost nothing */
/* At an address that the descriptor names, asked at the first read, without credentials and as a stranger's address is; unverified. For places that ask others at all. */
bool mlr_place_asks(const mlr_place *p);
int mlr_place_blob_at(mlr_place *p, const mlr_blob *b, const char *url, mlr_reader **out, mlreg_error **err);
/* To be called when what a reader gave turned out not to be the blob: 1 where it may be right elsewhere, so open it again; else 0. */
int mlr_place_blob_wrong(mlr_place *p, const mlr_blob *b, mlr_op *op);
int mlr_place_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err);
/* Between the two, small blobs that were written may wait to be published together; end publishes them, durably. End follows each begin that
 * went well. */
int mlr_place_gather_begin(mlr_place *p, mlr_op *op, mlreg_error **err);
int mlr_place_gather_end(mlr_place *p, mlr_op *op, mlreg_error **err);
int mlr_place_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err);    /* 0 where it cannot */
int mlr_place_blob_take(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op, mlr_digest *digest, mlreg_error **err);   /* ahead: who hashes it meanwhile, or NULL */
int mlr_place_blob_bytes(mlr_place *p, const mlr_blob *b, size_t max, mlr_op *op, mlr_buf *out, mlreg_error **err);  /* a small one (config), whole and verified */
int mlr_place_login(mlr_place *p, const char *name, const char *secret, mlr_op *op, char **where, mlreg_error **err);
int mlr_place_gc(mlr_place *p, const mlreg_gc_options *o, mlr_op *op, mlreg_gc_report *out, mlreg_error **err);
int mlr_place_fsck(mlr_place *p, uint32_t flags, mlr_op *op, mlr_list **problems, mlreg_error **err);

/* The kinds, for mlr_place_open alone. */
int mlr_registry_open(const char *location, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out, mlreg_error **err);
int mlr_store_open(const char *dir, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out, mlreg_error **err);
int mlr_layout_open(const char *dir, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out, mlreg_error **err);
int mlr_memory_open(mlr_runtime *rt, mlr_place **out, mlreg_error **err);
#endif
