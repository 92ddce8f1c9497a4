/* fuzz/texts.c - targets: references, URLs, JSON in all its roles, challenges, settings, patterns. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/toml.h"
#include "fuzz.h"
#include "model/frontmatter.h"
#include "model/glob.h"
#include "model/image.h"
#include "model/variant.h"
#include "net/auth.h"
#include "net/auth_token.h"
#include "net/http_parts.h"
#include "net/mirrors.h"
#include "net/mirrors_parts.h"
#include "net/url.h"
#include "place/index.h"
#include "place/manifest.h"
#include "place/ref.h"

static char *text_of(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);

    FUZZ_HOLDS(text != NULL);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

/* Whatever goes wrong says so in one line of good text. */
static void done_with(mlreg_error *err, int rc)
{
    FUZZ_HOLDS(rc >= 0 ? err == NULL : err != NULL && err->code == rc);
    if (err != NULL) {
        FUZZ_HOLDS(err->message[0] != '\0' && strpbrk(err->message, "\n\r\x1b") == NULL);
        FUZZ_HOLDS(mlr_utf8_valid(err->message, strlen(err->message)));
    }
    mlr_error_done(err);
}

static void ref(const uint8_t *data, size_t len)
{
    char        *text = text_of(data, len), *again;
    mlreg_error *err = NULL;
    mlr_ref      r, s;
    int          rc = mlr_ref_parse(text, &r, &err);

    done_with(err, rc);
    if (rc == 0) {
        again = mlr_ref_text(&r);
        FUZZ_HOLDS(mlr_ref_parse(again, &s, NULL) == 0 && strcmp(r.repo, s.repo) == 0 && mlr_digest_equal(&r.digest, &s.digest));
        FUZZ_HOLDS(strstr(r.repo, "..") == NULL && r.repo[0] != '/');
        mlr_ref_done(&s);
        mlr_free(again);
        mlr_ref_done(&r);
    }
    free(text);
}

/* The first line; and the rest, as a reference against it. */
static void url(const uint8_t *data, size_t len)
{
    char        *text = text_of(data, len), *rest = strchr(text, '\n'), *again;
    mlreg_error *err = NULL;
    mlr_url      u, v;
    int          rc;

    if (rest != NULL)
        *rest++ = '\0';
    rc = mlr_url_parse(text, &u, &err);
    done_with(err, rc);
    mlr_free(mlr_url_shown(text));
    if (rc == 0) {
        again = mlr_url_text(&u);
        FUZZ_HOLDS(mlr_url_parse(again, &v, NULL) == 0 && mlr_url_same_origin(&u, &v) && strcmp(u.target, v.target) == 0);
        mlr_url_done(&v);
        mlr_free(again);
        if (rest != NULL && mlr_url_resolve(&u, rest, &v, NULL) == 0) {
            FUZZ_HOLDS(v.target[0] == '/' && v.host[0] != '\0');
            mlr_url_done(&v);
        }
        mlr_url_done(&u);
    }
    free(text);
}

static void json(const uint8_t *data, size_t len)
{
    mlreg_error *err = NULL;
    mlr_json    *root = NULL, *again = NULL;
    size_t       raw_len;
    int          rc = mlr_json_parse((const char *)data, len, "fuzz", &root, &err);

    done_with(err, rc);
    if (rc == 0) {
        const char *raw = mlr_json_raw(root, &raw_len);

        FUZZ_HOLDS(mlr_json_parse(raw, raw_len, "again", &again, NULL) == 0);
        FUZZ_HOLDS(mlr_json_count(root) == mlr_json_count(again));
        mlr_json_free(again);
        for (const mlr_json *m = mlr_json_first(root); m != NULL; m = mlr_json_next(m))
            FUZZ_HOLDS(mlr_json_raw(m, &raw_len) >= raw);
    }
    mlr_json_free(root);
}

static void choose(const mlr_manifest *index)
{
    char           os[] = "linux", arch[] = "amd64", cpu[] = "avx2 fma";
    const mlr_host host = { .os = os, .arch = arch, .cpu = cpu, .memory_bytes = (uint64_t)1 << 34 };
    const mlr_wish wish = { .any = true, .host = &host };
    mlr_candidate *all = NULL;

    if (mlr_choose(index, &wish, &all, NULL) == 0)
        mlr_candidates_free(all, index->n_children);
}

static void manifest(const uint8_t *data, size_t len)
{
    mlreg_error  *err = NULL;
    mlr_manifest *m = NULL;
    mlr_digest    d;
    int           rc = mlr_manifest_parse(data, len, NULL, &m, &err);

    done_with(err, rc);
    if (rc < 0)
        return;
    mlr_digest_of(data, len, &d);
    FUZZ_HOLDS(mlr_digest_equal(&d, &m->self.digest) && m->json_bytes == len && memcmp(m->json, data, len) == 0);
    for (size_t i = 0; i < m->n_layers; i++)
        (void)mlr_descriptor_title(&m->layers[i]);
    if (m->is_index)
        choose(m);
    mlr_manifest_free(m);
}

static void index_json(const uint8_t *data, size_t len)
{
    mlreg_error *err = NULL;
    mlr_buf      out = MLR_BUF_INIT((size_t)64 << 20);
    mlr_index   *x = NULL, *y = NULL;
    int          rc = mlr_index_parse((const char *)data, len, &x, &err);

    done_with(err, rc);
    if (rc == 0) {
        FUZZ_HOLDS(mlr_index_print(x, &out, NULL) == 0);
        FUZZ_HOLDS(mlr_index_parse(out.data, out.len, &y, NULL) == 0 && x->n == y->n);
    }
    mlr_index_free(y);
    mlr_index_free(x);
    mlr_buf_done(&out);
}

static void image_config(const uint8_t *data, size_t len)
{
    mlr_digest   ids[2];
    mlreg_error *err = NULL;
    int          rc = mlr_image_diff_ids((const char *)data, len, 2, ids, &err);

    done_with(err, rc);
}

static void host(const uint8_t *data, size_t len)
{
    char        *text = text_of(data, len);
    mlr_buf      out = MLR_BUF_INIT((size_t)1 << 24);
    mlreg_error *err = NULL;
    mlr_host     h, again;
    int          rc = mlr_host_read(text, &h, &err);

    done_with(err, rc);
    if (rc == 0) {
        FUZZ_HOLDS(mlr_host_write(&h, &out, NULL) == 0 && mlr_host_read(out.data, &again, NULL) == 0 && again.n == h.n);
        mlr_host_done(&again);
        mlr_host_done(&h);
    }
    mlr_buf_done(&out);
    free(text);
}

static void challenge(const uint8_t *data, size_t len)
{
    char         *text = text_of(data, len);
    const char   *at = text;
    mlreg_error  *err = NULL;
    mlr_challenge c;
    mlr_url       registry, realm;
    int           rc;

    FUZZ_HOLDS(mlr_url_parse("https://r.example/", &registry, NULL) == 0);
    while ((rc = mlr_challenge_next(&at, &c, &err)) == 1) {
        FUZZ_HOLDS(at > text && at <= text + len && c.scheme != NULL);
        if (c.realm != NULL && mlr_token_realm(&registry, "r.example", c.realm, &realm, NULL) == 0) {
            FUZZ_HOLDS(strcmp(realm.scheme, "https") == 0);
            mlr_url_done(&realm);
        }
        mlr_challenge_done(&c);
    }
    done_with(err, rc);
    mlr_url_done(&registry);
    free(text);
}

static void token(const uint8_t *data, size_t len)
{
    mlreg_error *err = NULL;
    mlr_token    t;
    int          rc = mlr_token_parse((const char *)data, len, "t.example", &t, &err);

    done_with(err, rc);
    if (rc == 0) {
        FUZZ_HOLDS(t.value[0] != '\0' && strpbrk(t.value, " \r\n") == NULL && t.life_ms >= 1000);
        mlr_token_done(&t);
    }
}

static void toml(const uint8_t *data, size_t len)
{
    mlreg_error  *err = NULL;
    mlr_toml      t;
    mlr_toml_item item;
    int           rc;

    if ((rc = mlr_toml_begin(&t, "fuzz.conf", (const char *)data, len, &err)) == 0) {
        while ((rc = mlr_toml_next(&t, &item, &err)) == 1)
            FUZZ_HOLDS(item.table != NULL && item.key != NULL && item.line > 0);
        mlr_toml_done(&t);
    }
    done_with(err, rc);
}

static void mirrors(const uint8_t *data, size_t len)
{
    struct mlr_mirrors *m = mlr_alloc(sizeof *m);
    mlr_sources         s = { NULL, 0 };
    mlreg_error        *err = NULL;
    int                 rc;

    FUZZ_HOLDS(m != NULL);
    rc = mlr_mirrors_read(m, "fuzz.conf", (const char *)data, len, &err);
    done_with(err, rc);
    if (rc == 0 && mlr_mirrors_choose(m, "r.example", "team/x", ":v1", &s, NULL) == 0)
        mlr_sources_done(&s);
    mlr_mirrors_free(m);
}

static void base64(const uint8_t *data, size_t len)
{
    mlr_buf      plain = MLR_BUF_INIT((size_t)1 << 24), packed = plain, again = plain;
    mlreg_error *err = NULL;
    int          rc = mlr_base64_decode((const char *)data, len, &plain, &err);

    done_with(err, rc);
    if (rc == 0) {
        FUZZ_HOLDS(mlr_base64_encode(plain.data, plain.len, &packed, NULL) == 0);
        FUZZ_HOLDS(mlr_base64_decode(packed.data, packed.len, &again, NULL) == 0);
        FUZZ_HOLDS(again.len == plain.len && (again.len == 0 || memcmp(again.data, plain.data, again.len) == 0));
    }
    mlr_buf_done(&plain);
    mlr_buf_done(&packed);
    mlr_buf_done(&again);
}

/* The head of an answer, line by line, each in room of its own length. */
static void headers(const uint8_t *data, size_t len)
{
    mlr_headers h = { 0 };
    uint64_t    n;

    mlr_headers_begin(&h);
    for (const uint8_t *at = data, *end = data + len; at < end;) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        size_t         bytes = newline != NULL ? (size_t)(newline - at) + 1 : (size_t)(end - at);
        char          *line = malloc(bytes);
        mlreg_error   *err = NULL;
        int            rc;

        FUZZ_HOLDS(line != NULL);
        memcpy(line, at, bytes);
        rc = mlr_headers_add(&h, line, bytes, &err);
        free(line);
        done_with(err, rc);
        if (rc < 0)
            break;
        at += bytes;
    }
    for (size_t i = 0; i < h.n; i++) {
        const char *name = h.text.data + h.at[i], *value = mlr_headers_get(&h, name, 0);

        FUZZ_HOLDS(value != NULL && strpbrk(value, "\r\n") != value && strlen(name) + strlen(value) < h.text.len);
    }
    (void)mlr_headers_length(&h, &n);
    mlr_headers_done(&h);
}

/* A pattern, and behind the first line a path. */
static void glob(const uint8_t *data, size_t len)
{
    char *text = text_of(data, len), *path = strchr(text, '\n');

    if (path != NULL) {
        *path++ = '\0';
        (void)mlr_glob_match(text, path);
        FUZZ_HOLDS(mlr_glob_match("**", path) || path[0] == '\0');
    }
    free(text);
}

static void frontmatter(const uint8_t *data, size_t len)
{
    char *text = text_of(data, len), out[64];

    if (mlr_frontmatter_get(text, "license", out, sizeof out))
        FUZZ_HOLDS(strlen(out) < sizeof out);
    free(text);
}

const fuzz_target fuzz_texts[] = {
    { "ref", ref }, { "url", url }, { "json", json }, { "manifest", manifest }, { "index", index_json },
    { "image-config", image_config }, { "host", host }, { "challenge", challenge }, { "token", token }, { "toml", toml },
    { "mirrors", mirrors }, { "headers", headers }, { "base64", base64 }, { "glob", glob }, { "frontmatter", frontmatter }, { NULL, NULL },
};
