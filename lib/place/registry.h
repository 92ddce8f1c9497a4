/* place/registry.h - what the files of the registry place share: the place itself, and what each does for others. */
#ifndef MLR_PLACE_REGISTRY_H
#define MLR_PLACE_REGISTRY_H
#include "net/client.h"
#include "net/hostfacts.h"
#include "net/retry.h"
#include "place/place.h"

typedef struct mlr_registry {
    mlr_place place;
    mlr_client *client;
    mlr_client_options options;      /* its file names are ours */
    char *base;                      /* where the API is: "https://registry-1.docker.io" */
    bool is_hub;                     /* Docker Hub: "alpine" is "library/alpine" there */
    mlr_hostfacts facts;
    struct mlr_mirrored *mirrored;   /* where else it is read; NULL: nowhere */
} mlr_registry;

/* registry.c */
int mlr_registry_alone(const char *location, const mlreg_session_options *o, mlr_runtime *rt, mlr_registry **out,
        mlreg_error **err);          /* without mirrors, whatever the files say */
char *mlr_registry_repo(const mlr_registry *g, const char *repo);   /* as the API calls it; mlr_free; NULL: no memory */
mlr_retry mlr_registry_retry(const mlr_registry *g);                 /* whose time runs from now on */

/* The operations of place.h: registry_manifest.c, registry_remove.c, registry_tags.c, registry_referrers.c,
 * registry_blob.c, registry_reader.c and upload.c. */
int mlr_registry_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err);
int mlr_registry_manifest_read(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_buf *out, char **media_type,
        mlreg_error **err);
int mlr_registry_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m,
        mlr_op *op, mlreg_error **err);
int mlr_registry_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err);
int mlr_registry_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list *out, mlreg_error **err);
int mlr_registry_repositories(mlr_place *p, mlr_op *op, mlr_list *out, mlreg_error **err);
int mlr_registry_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, mlr_op *op, mlr_list *out,
        mlreg_error **err);
int mlr_registry_blob_has(mlr_place *p, const mlr_blob *b, mlr_op *op, mlreg_error **err);
int mlr_registry_blob_open(mlr_place *p, const mlr_blob *b, mlr_op *op, mlr_reader **out, mlreg_error **err);
int mlr_registry_blob_later(mlr_place *p, const mlr_blob *b, mlr_reader **out, mlreg_error **err);
int mlr_registry_blob_at(mlr_place *p, const mlr_blob *b, const char *url, mlr_reader **out, mlreg_error **err);
int mlr_registry_mount(mlr_place *p, const mlr_blob *b, const char *from_repo, mlr_op *op, mlreg_error **err);
int mlr_registry_blob_write(mlr_place *p, const mlr_blob *b, mlr_reader *r, mlr_op *op, mlreg_error **err);
int mlr_registry_blob_take(mlr_place *p, const char *repo, mlr_reader *r, mlr_op *op, mlr_digest *digest,
        mlreg_error **err);

int mlr_registry_blob_take_ahead(mlr_place *p, const char *repo, mlr_reader *r, const mlr_ahead_file *ahead, mlr_op *op,
        mlr_digest *digest, mlreg_error **err);

/* registry_blob.c: blob_has; with `again` false only one try is made. */
int mlr_registry_blob_look(mlr_registry *g, const mlr_blob *b, bool again, mlr_op *op, mlreg_error **err);

/* registry_manifest.c: GET and PUT of a manifest by tag or digest. What is got is parsed and held against `want`,
 * unless that is NULL. `etag` (mlr_free) and `if_match` are as the registry wrote them, or NULL; *indexed: the answer
 * says that the registry noted the subject. Outputs may be NULL. */
int mlr_registry_get(mlr_registry *g, const char *repo, const char *word, const mlr_digest *want, mlr_op *op,
        mlr_manifest **out, char **etag, mlreg_error **err);
int mlr_registry_put(mlr_registry *g, const char *repo, const char *word, const mlr_manifest *m, const char *if_match,
        bool *indexed, mlr_op *op, mlreg_error **err);

/* registry_referrers.c: the bookkeeping that a registry without the referrers API leaves to its clients (PROTOCOL.md
 * §6). `indexed`: it says that it did it itself. */
int mlr_referrers_note(mlr_registry *g, const char *repo, const mlr_manifest *m, bool indexed, mlr_op *op,
        mlreg_error **err);
int mlr_referrers_unnote(mlr_registry *g, const char *repo, const mlr_manifest *m, mlr_op *op, mlreg_error **err);
#endif
