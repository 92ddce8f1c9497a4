/* model/tagrule.c - whether a tag may go where it shall, said before the work is done. */
#include "model/tagrule.h"

#include "base/error.h"

enum { NOT_THERE, THERE, HIDDEN }; /* hidden: one may be allowed to push and not to pull */

static int look(mlr_place *p, const char *repo, const char *tag, mlr_op *op, mlr_digest *out, mlreg_error **err)
{
    mlr_ref r = { .repo = (char *)repo, .tag = (char *)tag };
    mlr_descriptor now = { 0 };
    mlreg_error *why = NULL;
    int rc = mlr_place_resolve(p, &r, op, &now, &why);

    if (rc == 0) {
        *out = now.digest;
        mlr_descriptor_done(&now);
        return THERE;
    }
    if (rc == MLREG_ENOTFOUND || rc == MLREG_EAUTH || rc == MLREG_EDENIED) {
        mlr_error_done(why);
        return rc == MLREG_ENOTFOUND ? NOT_THERE : HIDDEN;
    }
    mlr_error_move(err, &why);
    return rc;
}

static int missing(const char *tag, const mlr_tag_rule *rule, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ENOTFOUND, "tag %s is not there; it was expected at %s", tag, rule->expect.text);

    return mlr_error_hint(err, rc, "someone else removed it, or it never was: look at the repository's tags");
}

static int taken(const char *tag, const mlr_digest *now, const mlr_digest *wanted, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EEXISTS, "tag %s is there already, at %s; this is %s", tag, now->text, wanted->text);

    return mlr_error_hint(err, rc, "choose another tag, or ask for the tag to be moved");
}

static int moved(const char *tag, const mlr_digest *now, const mlr_tag_rule *rule, mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_EEXISTS, "tag %s is at %s, not at %s as expected", tag, now->text, rule->expect.text);

    return mlr_error_hint(err, rc, "someone else moved it: look at what is there now, then decide again");
}

static int decide(const char *tag, const mlr_digest *now, const mlr_tag_rule *rule, const mlr_digest *wanted, mlreg_error **err)
{
    if (mlr_digest_equal(now, wanted))
        return 0;
    if (rule->expect.text[0] != '\0' && !mlr_digest_equal(now, &rule->expect))
        return moved(tag, now, rule, err);
    return rule->move ? 0 : taken(tag, now, wanted, err);
}

int mlr_tagrule_check(mlr_place *p, const char *repo, const char *tag, const mlr_tag_rule *rule, const mlr_digest *wanted, mlr_op *op, mlreg_error **err)
{
    bool expects = rule->expect.text[0] != '\0';
    mlr_digest now;
    int rc;

    if (tag == NULL || (rule->move && !expects))
        return 0;
    if ((rc = look(p, repo, tag, op, &now, err)) < 0)
        return rc;
    if (rc == NOT_THERE)
        rc = expects ? missing(tag, rule, err) : 0;
    else
        rc = rc == THERE ? decide(tag, &now, rule, wanted, err) : 0;
    mlr_error_subject(err, rc, tag);
    return mlr_error_at(err, rc, p->name);
}
