/* place/descriptor.h - descriptors: what names content in OCI, and lists of them. */
#ifndef MLR_PLACE_DESCRIPTOR_H
#define MLR_PLACE_DESCRIPTOR_H
#include "codec/digest.h"
#include "codec/json.h"

typedef struct mlr_pair { char *key, *value; } mlr_pair;
struct mlreg_descriptor {
    char *media_type, *artifact_type;              /* artifact_type may be NULL */
    mlr_digest digest;
    uint64_t bytes;
    mlr_pair *annotations; size_t n_annotations;   /* in the order of the text */
    char **urls; size_t n_urls;
    char *platform;                                /* "os/arch[/variant]" or NULL */
    char *raw;                                     /* the JSON it was read from, byte for byte; NULL for one of our own making */
};
typedef struct mlreg_descriptor mlr_descriptor;
/* EPROTO that names `what` and the member: no mediaType, digest or size, size no exact integer, …; ENOTSUP for a digest that is not sha256. */
int  mlr_descriptor_read(const mlr_json *v, const char *what, mlr_descriptor *out, mlreg_error **err);
/* The member "annotations" of `v` into `d`, which has none yet: of a descriptor, or of a manifest. */
int  mlr_descriptor_read_annotations(const mlr_json *v, const char *what, mlr_descriptor *d, mlreg_error **err);
/* EINVAL for what no descriptor may have as media or artifact type: empty, over 255 bytes, not printable ASCII. `what` is for the message. */
int  mlr_descriptor_check_type(const char *type, const char *what, mlreg_error **err);
int  mlr_descriptor_set_platform(mlr_descriptor *d, const char *os, const char *arch, const char *variant, mlreg_error **err);   /* where none is set; variant NULL or "": none */
int  mlr_descriptor_make(const char *media_type, const mlr_digest *digest, uint64_t bytes, mlr_descriptor *out, mlreg_error **err);
int  mlr_descriptor_copy(const mlr_descriptor *d, mlr_descriptor *out, mlreg_error **err);
int  mlr_descriptor_annotate(mlr_descriptor *d, const char *key, const char *value, mlreg_error **err);   /* replaces; value NULL removes; `raw` is dropped */
int  mlr_descriptor_retype(mlr_descriptor *d, const char *media_type, mlreg_error **err);                  /* `raw` is dropped */
void mlr_descriptor_put(mlr_json_out *o, const char *key, const mlr_descriptor *d);                       /* raw if it has it */
void mlr_descriptor_done(mlr_descriptor *d);
const char *mlr_descriptor_annotation(const mlr_descriptor *d, const char *key);
/* A layer that is not to be distributed (OCI image-spec 1.1, "Non-Distributable Layers"; docker's foreign ones), and says where it is instead. */
bool mlr_descriptor_is_foreign(const mlr_descriptor *d);
/* The file path a layer stands for: org.opencontainers.image.title, else org.cncf.model.filepath, else org.cnai.model.filepath; unchecked. NULL if none. */
const char *mlr_descriptor_title(const mlr_descriptor *d);

struct mlreg_list { struct mlr_list_item { char *name; mlr_descriptor *descriptor; } *items; size_t n, cap; };  /* either may be NULL */
typedef struct mlreg_list mlr_list;
int  mlr_list_new(mlr_list **out, mlreg_error **err);
int  mlr_list_add(mlr_list *l, const char *name, const mlr_descriptor *d, mlreg_error **err);             /* copies both */
void mlr_list_sort(mlr_list *l);                                                                           /* by name, bytes; doubles go */
void mlr_list_free(mlr_list *l);
#endif
