/* model/image.c - what is set of an image in the making. */
#include "model/image_parts.h"

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

void mlr_reuse_done(mlr_reuse *r)
{
    mlr_free(r->repo);
    mlr_descriptor_done(&r->layer);
    *r = (mlr_reuse){ 0 };
}

void mlr_reuses_free(mlr_reuse *all, size_t n)
{
    for (size_t i = 0; all != NULL && i < n; i++)
        mlr_reuse_done(&all[i]);
    mlr_free(all);
}

int mlr_image_new(mlr_image **out, mlreg_error **err)
{
    return (*out = mlr_alloc(sizeof **out)) == NULL ? mlr_error_nomem(err) : 0;
}

static void texts_done(mlr_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        mlr_free(t->items[i]);
    mlr_free(t->items);
    *t = (mlr_texts){ 0 };
}

void mlr_image_free(mlr_image *i)
{
    if (i == NULL)
        return;
    mlr_free(i->platform);
    mlr_free(i->user);
    mlr_free(i->workdir);
    texts_done(&i->env);
    texts_done(&i->labels);
    texts_done(&i->ports);
    texts_done(&i->entrypoint);
    texts_done(&i->cmd);
    mlr_reuses_free(i->layers, i->n_layers);
    mlr_json_free(i->base);
    mlr_free(i);
}

bool mlr_image_sets(const mlr_texts *t, const char *key, size_t len)
{
    for (size_t i = 0; i < t->n; i++)
        if (strncmp(t->items[i], key, len) == 0 && t->items[i][len] == '=')
            return true;
    return false;
}

bool mlr_image_has_env(const mlr_image *i, const char *name)
{
    return mlr_image_sets(&i->env, name, strlen(name));
}

/* ---- setting ---- */

static int put_text(mlr_texts *t, char *text, mlreg_error **err)
{
    if (text == NULL || mlr_grow(&t->items, &t->cap, t->n, sizeof *t->items) < 0) {
        mlr_free(text);
        return mlr_error_nomem(err);
    }
    t->items[t->n++] = text;
    t->set = true;
    return 0;
}

/* "key=value"; one that is set again is replaced, where it stands. */
static int put_pair(mlr_texts *t, const char *text, const char *what, mlreg_error **err)
{
    const char *equals = strchr(text, '=');
    size_t len;
    char *copy;
    int rc;

    if (equals == NULL || equals == text) {
        rc = mlr_error_set(err, MLREG_EINVAL, "%s \"%.200s\" is not of the form KEY=value", what, text);
        return mlr_error_subject(err, rc, text);
    }
    if ((copy = mlr_strdup(text)) == NULL)
        return mlr_error_nomem(err);
    len = (size_t)(equals - text);
    for (size_t i = 0; i < t->n; i++)
        if (strncmp(t->items[i], text, len + 1) == 0) {
            mlr_free(t->items[i]);
            t->items[i] = copy;
            return 0;
        }
    return put_text(t, copy, err);
}

static int put_pairs(mlr_texts *t, const char *const *from, size_t n, const char *what, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_pair(t, from[i], what, err);
    return rc;
}

static int put_port(mlr_texts *t, const char *text, mlreg_error **err)
{
    size_t digits = strspn(text, "0123456789");
    const char *rest = text + digits;

    if (digits == 0 || digits > 5 || strtoul(text, NULL, 10) > UINT16_MAX || (rest[0] != '\0' && strcmp(rest, "/tcp") != 0 && strcmp(rest, "/udp") != 0))
        return mlr_error_set(err, MLREG_EINVAL, "\"%.60s\" is no port; write it as 8080 or 8080/udp", text);
    return put_text(t, mlr_asprintf("%s%s", text, rest[0] == '\0' ? "/tcp" : ""), err);
}

static int replace_list(mlr_texts *t, const char *const *from, size_t n, mlreg_error **err)
{
    int rc = 0;

    if (from == NULL)
        return 0;
    texts_done(t);
    t->set = true;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_text(t, mlr_strdup(from[i]), err);
    return rc;
}

static int replace(char **to, const char *text, mlreg_error **err)
{
    char *copy;

    if (text == NULL)
        return 0;
    if ((copy = mlr_strdup(text)) == NULL)
        return mlr_error_nomem(err);
    mlr_free(*to);
    *to = copy;
    return 0;
}

/* "os/architecture[/variant]", each part a word. */
static int check_platform(const char *text, mlreg_error **err)
{
    size_t parts = 1;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '/' ? c == text || c[-1] == '/' || c[1] == '\0' : strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", *c) == NULL)
            parts = 9;
        parts += *c == '/';
    }
    if (text[0] != '\0' && parts >= 2 && parts <= 3)
        return 0;
    return mlr_error_hint(err, mlr_error_set(err, MLREG_EINVAL, "\"%.60s\" is no platform", text), "write it as linux/amd64 or linux/arm/v7");
}

int mlr_image_set(mlr_image *i, const mlreg_image_options *o, mlreg_error **err)
{
    int rc = 0;

    if (o->platform != NULL && (rc = check_platform(o->platform, err)) < 0)
        return rc;
    for (size_t k = 0; k < o->n_ports && rc == 0; k++)
        rc = put_port(&i->ports, o->ports[k], err);
    if (rc < 0 || (rc = put_pairs(&i->env, o->env, o->n_env, "the variable", err)) < 0 ||
        (rc = put_pairs(&i->labels, o->labels, o->n_labels, "the label", err)) < 0 ||
        (rc = replace_list(&i->entrypoint, o->entrypoint, o->n_entrypoint, err)) < 0 ||
        (rc = replace_list(&i->cmd, o->cmd, o->n_cmd, err)) < 0 || (rc = replace(&i->platform, o->platform, err)) < 0 ||
        (rc = replace(&i->user, o->user, err)) < 0)
        return rc;
    return replace(&i->workdir, o->workdir, err);
}
