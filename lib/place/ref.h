/* place/ref.h - references inside a place: repository, tag, digest, and their grammar. */
#ifndef MLR_PLACE_REF_H
#define MLR_PLACE_REF_H
#include "codec/digest.h"

#define MLR_TAG_MAX 128
#define MLR_NAME_MAX 255
typedef struct mlr_ref {
    char *repo;                    /* "" where the place has one repository only */
    char *tag;                     /* NULL: none */
    mlr_digest digest;             /* "" : none; where both are there, the digest decides */
} mlr_ref;
/* "repo[:tag][@sha256:…]". The first component of repo may be a host with a port ("127.0.0.1:5000/team/x": how a store keeps what it
 * pulled); what follows the last ':' behind the last '/' is the tag. Also ":tag", "@digest" and "" (repo ""). Each error names the text, the rule and a hint. */
int  mlr_ref_parse(const char *text, mlr_ref *out, mlreg_error **err);
int  mlr_ref_copy(const mlr_ref *r, mlr_ref *out, mlreg_error **err);
char *mlr_ref_text(const mlr_ref *r);                            /* mlr_free; NULL: out of memory */
void mlr_ref_done(mlr_ref *r);
int  mlr_ref_check_tag(const char *tag, mlreg_error **err);
int  mlr_ref_check_repo(const char *repo, bool with_host, mlreg_error **err);
const char *mlr_ref_word(const mlr_ref *r);                      /* what goes into a URL or index: the digest's text, else the tag, else NULL */
#endif
