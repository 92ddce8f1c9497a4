/* place/place.c - the one door to every place: what a location opens, and checks that all kinds share. */
#include "place/place.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "place/index.h"
#include "place/place_parts.h"

#define REFERRERS_MAX 10000 /* candidates that are read one by one */

int mlr_place_open(const char *location, const mlreg_session_options *o, mlr_runtime *rt, mlr_op *op, mlr_place **out,
                   mlreg_error **err)
{
    static const char hint[] = "a location is \"https://host\", \"oci:DIR\", \"memory:\" or the directory of a store";
    int rc;
    if (location[0] == 0)
        rc = mlr_error_hint(err, mlr_error_set(err, MLREG_EINVAL, "the location is empty"), "%s", hint);
    else if (mlr_text_begins(location, "https://") || mlr_text_begins(location, "http://"))
        rc = mlr_registry_open(location, o, rt, op, out, err);
    else if (mlr_text_begins(location, "oci:"))
        rc = mlr_layout_open(location + strlen("oci:"), o, rt, op, out, err);
    else if (strcmp(location, "memory:") == 0)
        rc = mlr_memory_open(rt, out, err);
    else if (strstr(location, "://") != NULL)
        rc = mlr_error_hint(err, mlr_error_set(err, MLREG_ENOTSUP, "no place is opened by '%s'", location), "%s", hint);
    else
        rc = mlr_store_open(location, o, rt, op, out, err);
    if (rc == 0 && o != NULL && (o->flags & MLREG_OPEN_READONLY))
        (*out)->read_only = true;
    return mlr_error_at(err, rc, location);
}

void mlr_place_close(mlr_place *p)
{
    mlr_runtime *rt;
    char        *name;

    if (p == NULL)
        return;
    rt = p->rt;
    name = p->name;
    p->ops->close(p);
    mlr_runtime_unref(rt);
    mlr_free(name);
}

/* ---- what every call is checked for ---- */

int mlr_place_check_repo(const char *repo, mlreg_error **err)
{
    return repo[0] == 0 ? 0 : mlr_ref_check_repo(repo, true, err);
}

static int check_ref(const mlr_ref *r, mlreg_error **err)
{
    int rc = mlr_place_check_repo(r->repo, err);
    return rc == 0 && r->tag != NULL ? mlr_ref_check_tag(r->tag, err) : rc;
}

static int check_named(const mlr_ref *r, mlreg_error **err)
{
    int rc = check_ref(r, err);
    if (rc < 0 || mlr_ref_word(r) != NULL)
        return rc;
    rc = mlr_error_set(err, MLREG_EINVAL, "'%s' names neither a tag nor a digest", r->repo);
    return mlr_error_hint(err, rc, "write '%s:TAG' or '%s@sha256:…'", r->repo, r->repo);
}

int mlr_place_check_writable(const mlr_place *p, mlreg_error **err)
{
    int rc = p->read_only ? mlr_error_set(err, MLREG_EDENIED, "%s was opened to be read only", p->name) : 0;
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_cannot(mlr_place *p, const char *what, mlreg_error **err)
{
    return mlr_error_set(err, MLREG_ENOTSUP, "a %s cannot %s", p->ops->kind, what);
}

/* Adds where, and which reference, to a failure on its way up. */
static int at_ref(mlr_place *p, const mlr_ref *r, int rc, mlreg_error **err)
{
    char *text = rc < 0 ? mlr_ref_text(r) : NULL;
    if (text != NULL)
        mlr_error_subject(err, rc, text);
    mlr_free(text);
    return mlr_error_at(err, rc, p->name);
}

/* ---- names ---- */

int mlr_place_ref(const mlr_place *p, const char *text, mlr_ref *out, mlreg_error **err)
{
    char *tag;
    int   rc;

    if (!p->one_repo || text[0] == 0 || strpbrk(text, ":/@") != NULL)
        return mlr_ref_parse(text, out, err);
    if ((tag = mlr_asprintf(":%s", text)) == NULL)
        return mlr_error_nomem(err);
    rc = mlr_ref_parse(tag, out, err);
    mlr_free(tag);
    return rc;
}

int mlr_place_resolve(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_descriptor *out, mlreg_error **err)
{
    int rc = check_named(r, err);
    if (rc == 0)
        rc = p->ops->resolve(p, r, op, out, err);
    return at_ref(p, r, rc, err);
}

static int finish_list(mlr_place *p, int rc, mlr_list *list, mlr_list **out, mlreg_error **err)
{
    if (rc < 0) {
        mlr_list_free(list);
        return mlr_error_at(err, rc, p->name);
    }
    mlr_list_sort(list);
    *out = list;
    return 0;
}

int mlr_place_tags(mlr_place *p, const char *repo, mlr_op *op, mlr_list **out, mlreg_error **err)
{
    mlr_list *list = NULL;
    int       rc;
    if ((rc = mlr_place_check_repo(repo, err)) == 0 && (rc = mlr_list_new(&list, err)) == 0)
        rc = p->ops->tags(p, repo, op, list, err);
    mlr_error_subject(err, rc, repo);
    return finish_list(p, rc, list, out, err);
}

int mlr_place_repositories(mlr_place *p, mlr_op *op, mlr_list **out, mlreg_error **err)
{
    mlr_list *list = NULL;
    int       rc = mlr_list_new(&list, err);
    if (rc == 0)
        rc = p->ops->repositories != NULL ? p->ops->repositories(p, op, list, err)
                                          : mlr_place_cannot(p, "list repositories", err);
    return finish_list(p, rc, list, out, err);
}

/* ---- manifests ---- */

/* An index may be here in part. That its entry has gone meanwhile takes nothing from what was read. */
static int note_absent(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_manifest *m, mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    mlreg_error   *why = NULL;
    int            rc = p->ops->resolve(p, r, op, &d, &why);

    if (rc == 0 && mlr_digest_equal(&d.digest, &m->self.digest))
        rc = mlr_manifest_set_absent(m, mlr_descriptor_annotation(&d, MLR_INDEX_ABSENT), err);
    else if (rc == MLREG_ENOMEM || rc == MLREG_ECANCELLED)
        mlr_error_move(err, &why);
    else
        rc = 0;
    mlr_error_done(why);
    mlr_descriptor_done(&d);
    return rc;
}

static int read_manifest(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    mlr_buf       bytes = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    char         *media_type = NULL;
    mlr_manifest *m = NULL;
    mlr_digest    got;
    int           rc;

    if ((rc = mlr_buf_reserve(&bytes, 0, err)) < 0 || /* no bytes are bytes, too */
        (rc = p->ops->manifest_read(p, r, op, &bytes, &media_type, err)) < 0)
        goto out;
    mlr_digest_of(bytes.data, bytes.len, &got);
    if ((r->digest.text[0] != 0 && (rc = mlr_digest_check(&got, &r->digest, "manifest", err)) < 0) ||
        (rc = mlr_manifest_parse(bytes.data, bytes.len, media_type, &m, err)) < 0 ||
        (p->holds_parts && m->is_index && (rc = note_absent(p, r, op, m, err)) < 0))
        goto out;
    *out = m;
    m = NULL;
out:
    mlr_manifest_free(m);
    mlr_free(media_type);
    mlr_buf_done(&bytes);
    return rc;
}

int mlr_place_manifest(mlr_place *p, const mlr_ref *r, mlr_op *op, mlr_manifest **out, mlreg_error **err)
{
    int rc = check_named(r, err);
    if (rc == 0)
        rc = read_manifest(p, r, op, out, err);
    return at_ref(p, r, rc, err);
}

int mlr_place_manifest_write(mlr_place *p, const mlr_ref *r, const mlr_tag_rule *rule, const mlr_manifest *m,
                             mlr_op *op, mlreg_error **err)
{
    static const mlr_tag_rule keep = { false, { "" } };
    int rc = mlr_place_check_writable(p, err);

    if (rc == 0 && (rc = check_ref(r, err)) == 0 && r->digest.text[0] != 0 &&
        !mlr_digest_equal(&r->digest, &m->self.digest))
        rc = mlr_error_set(err, MLREG_EINVAL, "the manifest is %s, not %s", m->self.digest.text, r->digest.text);
    if (rc == 0)
        rc = p->ops->manifest_write(p, r, rule != NULL ? rule : &keep, m, op, err);
    return at_ref(p, r, rc, err);
}

int mlr_place_remove(mlr_place *p, const mlr_ref *r, mlr_op *op, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0 && (rc = check_named(r, err)) == 0)
        rc = p->ops->remove != NULL ? p->ops->remove(p, r, op, err) : mlr_place_cannot(p, "remove manifests", err);
    return at_ref(p, r, rc, err);
}

static bool is_of_type(const mlr_manifest *m, const char *artifact_type)
{
    return artifact_type == NULL || (m->self.artifact_type != NULL && strcmp(m->self.artifact_type, artifact_type) == 0);
}

/* Reads a candidate and adds it if it says itself that it refers to `subject` (THREATS.md F3). One that is gone or no
 * manifest refers to nothing; what keeps us from telling is a failure. */
static int add_referrer(mlr_place *p, const char *repo, const mlr_digest *candidate, const mlr_digest *subject,
                        const char *artifact_type, mlr_op *op, mlr_list *list, mlreg_error **err)
{
    mlr_manifest *m = NULL;
    mlreg_error  *why = NULL;
    mlr_ref       r = { (char *)repo, NULL, *candidate };
    int           rc;

    if ((rc = mlr_op_check(op, err)) < 0)
        return rc;
    rc = read_manifest(p, &r, op, &m, &why);
    if (rc == MLREG_ENOTFOUND || rc == MLREG_EPROTO || rc == MLREG_ENOTSUP)
        rc = 0;
    else if (rc < 0)
        mlr_error_move(err, &why);
    else if (m->subject != NULL && mlr_digest_equal(&m->subject->digest, subject) && is_of_type(m, artifact_type))
        rc = mlr_list_add(list, NULL, &m->self, err);
    mlr_error_done(why);
    mlr_manifest_free(m);
    return rc;
}

int mlr_place_referrers(mlr_place *p, const char *repo, const mlr_digest *subject, const char *artifact_type,
                        mlr_op *op, mlr_list **out, mlreg_error **err)
{
    mlr_list *candidates = NULL, *list = NULL;
    int       rc;

    if ((rc = mlr_place_check_repo(repo, err)) < 0 || (rc = mlr_list_new(&candidates, err)) < 0 ||
        (rc = mlr_list_new(&list, err)) < 0 || (rc = p->ops->referrers(p, repo, subject, op, candidates, err)) < 0)
        goto out;
    mlr_list_sort(candidates);
    if (candidates->n > REFERRERS_MAX)
        rc = mlr_error_set(err, MLREG_ELIMIT, "%zu manifests claim to refer to %s, %d are looked at", candidates->n,
                           subject->text, REFERRERS_MAX);
    for (size_t i = 0; rc == 0 && i < candidates->n; i++)
        rc = add_referrer(p, repo, &candidates->items[i].descriptor->digest, subject, artifact_type, op, list, err);
out:
    mlr_list_free(candidates);
    mlr_error_subject(err, rc, subject->text);
    return finish_list(p, rc, list, out, err);
}

/* ---- the rest: powers that few kinds have ---- */

int mlr_place_login(mlr_place *p, const char *name, const char *secret, mlr_op *op, char **where, mlreg_error **err)
{
    int rc = p->ops->login != NULL ? p->ops->login(p, name, secret, op, where, err) : mlr_place_cannot(p, "be logged in to", err);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_gc(mlr_place *p, const mlreg_gc_options *o, mlr_op *op, mlreg_gc_report *out, mlreg_error **err)
{
    int rc = mlr_place_check_writable(p, err);
    if (rc == 0)
        rc = p->ops->gc != NULL ? p->ops->gc(p, o, op, out, err) : mlr_place_cannot(p, "be collected from here", err);
    return mlr_error_at(err, rc, p->name);
}

int mlr_place_fsck(mlr_place *p, uint32_t flags, mlr_op *op, mlr_list **problems, mlreg_error **err)
{
    mlr_list *list = NULL;
    int       rc = flags & MLREG_FSCK_REPAIR ? mlr_place_check_writable(p, err) : 0;

    if (rc == 0 && (rc = mlr_list_new(&list, err)) == 0)
        rc = p->ops->fsck != NULL ? p->ops->fsck(p, flags, op, list, err) : mlr_place_cannot(p, "be checked from here", err);
    return finish_list(p, rc, list, problems, err);
}
