/* model/image_config.c - an image's config: the base's, with what was set and added on top. */
#include "model/image_parts.h"

#include <string.h>
#include <sys/utsname.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "model/host.h"

/* ---- how it is run ---- */

static void put_texts(mlr_json_out *o, const char *key, const mlr_texts *t)
{
    mlr_json_open(o, key, '[');
    for (size_t i = 0; i < t->n; i++)
        mlr_json_put_string(o, NULL, t->items[i]);
    mlr_json_close(o, ']');
}

static void put_member(mlr_json_out *o, const mlr_json *m)
{
    size_t len;
    const char *raw = mlr_json_raw(m, &len);

    mlr_json_put_raw(o, mlr_json_key(m), raw, len);
}

static void put_env(mlr_json_out *o, const mlr_texts *ours, const mlr_json *base)
{
    mlr_json_open(o, "Env", '[');
    for (const mlr_json *e = mlr_json_first(base); e != NULL; e = mlr_json_next(e)) {
        const char *text = mlr_json_string(e);

        if (text != NULL && !mlr_image_sets(ours, text, strcspn(text, "=")))
            mlr_json_put_string(o, NULL, text);
    }
    for (size_t i = 0; i < ours->n; i++)
        mlr_json_put_string(o, NULL, ours->items[i]);
    mlr_json_close(o, ']');
}

static int put_labels(mlr_json_out *o, const mlr_texts *ours, const mlr_json *base, mlreg_error **err)
{
    mlr_json_open(o, "Labels", '{');
    for (const mlr_json *l = mlr_json_first_member(base); l != NULL; l = mlr_json_next(l))
        if (!mlr_image_sets(ours, mlr_json_key(l), strlen(mlr_json_key(l))))
            put_member(o, l);
    for (size_t i = 0; i < ours->n; i++) {
        const char *equals = strchr(ours->items[i], '=');
        char *key = mlr_strndup(ours->items[i], (size_t)(equals - ours->items[i]));

        if (key == NULL)
            return mlr_error_nomem(err);
        mlr_json_put_string(o, key, equals + 1);
        mlr_free(key);
    }
    mlr_json_close(o, '}');
    return 0;
}

static void put_ports(mlr_json_out *o, const mlr_texts *ours, const mlr_json *base)
{
    mlr_json_open(o, "ExposedPorts", '{');
    for (const mlr_json *p = mlr_json_first_member(base); p != NULL; p = mlr_json_next(p))
        put_member(o, p);
    for (size_t i = 0; i < ours->n; i++) {
        bool there = mlr_json_get(base, ours->items[i]) != NULL;

        for (size_t k = 0; k < i; k++)
            there = there || strcmp(ours->items[k], ours->items[i]) == 0;
        if (!there)
            mlr_json_put_raw(o, ours->items[i], "{}", 2);
    }
    mlr_json_close(o, '}');
}

/* Whether a member of the base's "config" is one that is written anew. */
static bool is_replaced(const mlr_image *i, const char *key)
{
    const struct { const char *key; bool set; } ours[] = {
        { "User", i->user != NULL }, { "WorkingDir", i->workdir != NULL }, { "Env", i->env.set }, { "Labels", i->labels.set },
        { "ExposedPorts", i->ports.set }, { "Entrypoint", i->entrypoint.set }, { "Cmd", i->cmd.set || i->entrypoint.set },
    };

    for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
        if (strcmp(key, ours[k].key) == 0)
            return ours[k].set;
    return false;
}

static int put_run(mlr_json_out *o, const mlr_image *i, mlreg_error **err)
{
    const mlr_json *base = mlr_json_get(i->base, "config");
    int rc = 0;

    mlr_json_open(o, "config", '{');
    for (const mlr_json *m = mlr_json_first_member(base); m != NULL; m = mlr_json_next(m))
        if (!is_replaced(i, mlr_json_key(m)))
            put_member(o, m);
    mlr_json_put_string(o, "User", i->user);
    mlr_json_put_string(o, "WorkingDir", i->workdir);
    if (i->env.set)
        put_env(o, &i->env, mlr_json_get(base, "Env"));
    if (i->ports.set)
        put_ports(o, &i->ports, mlr_json_get(base, "ExposedPorts"));
    if (i->entrypoint.set)
        put_texts(o, "Entrypoint", &i->entrypoint);
    if (i->cmd.set)
        put_texts(o, "Cmd", &i->cmd);
    if (i->labels.set)
        rc = put_labels(o, &i->labels, mlr_json_get(base, "Labels"), err);
    mlr_json_close(o, '}');
    return rc;
}

/* ---- what it is for ---- */

static const char *own_architecture(struct utsname *u)
{
    const char *variant;

    return uname(u) < 0 ? "unknown" : mlr_host_architecture(u->machine, &variant);
}

const char *mlr_image_foreign_platform(const mlr_image *i)
{
    struct utsname u;
    const char *machine = own_architecture(&u), *slash = i->platform != NULL ? strchr(i->platform, '/') : NULL;
    size_t len = strlen(machine);

    if (slash == NULL || (strncmp(slash + 1, machine, len) == 0 && (slash[1 + len] == '\0' || slash[1 + len] == '/')))
        return NULL;
    return i->platform;
}

static void put_platform(mlr_json_out *o, const mlr_image *i)
{
    static const char keys[][13] = { "os", "architecture", "variant" };
    const char *at = i->platform;
    struct utsname u;

    if (at == NULL) {
        mlr_json_put_string(o, "architecture", own_architecture(&u));
        mlr_json_put_string(o, "os", "linux");
        return;
    }
    for (size_t k = 0; k < 3 && *at != '\0'; k++) {
        size_t len = strcspn(at, "/");
        char part[64] = "";

        memcpy(part, at, len < sizeof part ? len : sizeof part - 1);
        mlr_json_put_string(o, keys[k], part);
        at += len;
        at += *at == '/';
    }
}

/* ---- how it came to be ---- */

static bool is_history_sound(const mlr_json *history, size_t n_layers)
{
    size_t n = 0;

    for (const mlr_json *h = mlr_json_first(history); h != NULL; h = mlr_json_next(h)) {
        bool empty = false;

        mlr_json_bool(mlr_json_get(h, "empty_layer"), &empty);
        n += !empty;
    }
    return n == n_layers;
}

static void put_step(mlr_json_out *o, const char *created, const char *made_by)
{
    mlr_json_open(o, NULL, '{');
    mlr_json_put_string(o, "created", created);
    mlr_json_put_string(o, "created_by", made_by);
    mlr_json_close(o, '}');
}

/* Each layer has its step, or readers that count them stumble: where the base's do not match, it gets ones that say nothing. */
static void put_history(mlr_json_out *o, const mlr_image *i, const mlr_image_layer *layers, size_t n, const char *created)
{
    const mlr_json *base = mlr_json_get(i->base, "history");
    bool sound = is_history_sound(base, i->n_layers);
    size_t len;

    mlr_json_open(o, "history", '[');
    for (const mlr_json *h = sound ? mlr_json_first(base) : NULL; h != NULL; h = mlr_json_next(h)) {
        const char *raw = mlr_json_raw(h, &len);

        mlr_json_put_raw(o, NULL, raw, len);
    }
    for (size_t k = 0; k < i->n_layers && !sound; k++)
        put_step(o, created, NULL);
    for (size_t k = 0; k < n; k++)
        put_step(o, created, layers[k].made_by);
    mlr_json_close(o, ']');
}

static void put_rootfs(mlr_json_out *o, const mlr_image *i, const mlr_image_layer *layers, size_t n)
{
    const mlr_json *base = mlr_json_get(mlr_json_get(i->base, "rootfs"), "diff_ids");

    mlr_json_open(o, "rootfs", '{');
    mlr_json_put_string(o, "type", "layers");
    mlr_json_open(o, "diff_ids", '[');
    for (const mlr_json *d = mlr_json_first(base); d != NULL; d = mlr_json_next(d))
        mlr_json_put_string(o, NULL, mlr_json_string(d));
    for (size_t k = 0; k < n; k++)
        mlr_json_put_string(o, NULL, layers[k].diff_id->text);
    mlr_json_close(o, ']');
    mlr_json_close(o, '}');
}

/* ---- all of it ---- */

/* What stays of the base besides: "os.version" say. "id" and "container" are of another image. */
static void put_rest(mlr_json_out *o, const mlr_json *base)
{
    static const char kept[][13] = { "architecture", "os", "variant", "os.version", "os.features", "author" };

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const mlr_json *m = mlr_json_get(base, kept[i]);

        if (m != NULL)
            put_member(o, m);
    }
}

int mlr_image_config(const mlr_image *i, const mlr_image_layer *layers, size_t n, int64_t epoch_s, mlr_buf *out, mlreg_error **err)
{
    mlr_json_out o;
    char created[21];
    int rc;

    mlr_clock_rfc3339(epoch_s * 1000, created);
    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_string(&o, "created", created);
    if (i->base != NULL)
        put_rest(&o, i->base);
    else
        put_platform(&o, i);
    if ((rc = put_run(&o, i, err)) < 0)
        return rc;
    put_rootfs(&o, i, layers, n);
    put_history(&o, i, layers, n, created);
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}
