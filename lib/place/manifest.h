/* place/manifest.h - manifests and indexes: read strictly, kept byte for byte. */
#ifndef MLR_PLACE_MANIFEST_H
#define MLR_PLACE_MANIFEST_H
#include "place/descriptor.h"

#define MLR_MANIFEST_MAX_BYTES (4u << 20)
#define MLR_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MLR_TYPE_INDEX    "application/vnd.oci.image.index.v1+json"
#define MLR_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MLR_TYPE_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MLR_TYPE_EMPTY    "application/vnd.oci.empty.v1+json"
typedef struct mlr_manifest {
    mlr_descriptor self;                       /* media type, digest and size of the bytes; artifact type; annotations of the manifest */
    bool is_index;
    char *json; size_t json_bytes;             /* exact bytes, zero behind */
    mlr_descriptor *config;                    /* NULL if none */
    mlr_descriptor *layers;   size_t n_layers; /* image manifest */
    mlr_descriptor *children; size_t n_children; /* index */
    mlr_descriptor *subject;                   /* NULL if none */
    char *absent;                              /* an index whose place has it in part: digests of what it lacks by design, blanks between; NULL: nothing */
} mlr_manifest;
/* Checks shape (E1: never both kinds in one; mediaType equal to `media_type` where both are known), limits and every descriptor; artifactType falls back
 * to config.mediaType. `media_type` may be NULL: then the body decides. Docker's types are read like OCI's. EPROTO with what is wrong. The digest is computed here. */
int  mlr_manifest_parse(const void *json, size_t len, const char *media_type, mlr_manifest **out, mlreg_error **err);
void mlr_manifest_free(mlr_manifest *m);
bool mlr_manifest_lacks(const mlr_manifest *m, const mlr_digest *d);   /* by design */
int  mlr_manifest_set_absent(mlr_manifest *m, const char *absent, mlreg_error **err);   /* "" or NULL: nothing */
bool mlr_manifest_type_is_index(const char *media_type);
bool mlr_manifest_type_known(const char *media_type);          /* one of the four */
#endif
