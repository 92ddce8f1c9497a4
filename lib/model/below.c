/* model/below.c - the file system that a base's layers make, by names and kinds alone. OCI image-spec 1.1, "Image Layer Filesystem Changeset". */
#include "model/below.h"

#include <string.h>
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define ROOT        0u
#define NOTHING     UINT32_MAX
#define PRIME       UINT32_C(0x7fffffff)
#define FIRST_POINT UINT32_C(0x10000)
#define FIRST_SLOTS 1024u                      /* a power of two, as every later size */
#define LINKS_MAX   40u                        /* on the way to one name */
#define LINK_MAX    4095u                      /* a longer one no system makes */
#define TEXT_MAX    ((size_t)256 << 20)

enum { GONE = MLR_MEMBER_OTHER + 1, IMPLIED }; /* more kinds: removed; a folder that no layer names, but for what is in it */

/* What was in a folder before its layer `cut` is not in it any more. */
struct node { uint32_t parent, name, link, born, cut; unsigned kind; };   /* name and link: where in `text`. born: the last layer that put it or something below it */
struct mlr_below {
    struct node *nodes; size_t n, cap;
    uint32_t *slots; size_t n_slots;           /* by parent and name, at most half full; NOTHING: free */
    mlr_buf text;
    uint32_t point;                            /* of the hash */
    uint32_t layer;                            /* that is being laid, from 1 on */
    bool partial;                              /* there is more below, of which nothing is known */
};

static bool is_folder(const struct node *n)
{
    return n->kind == MLR_MEMBER_DIR || n->kind == IMPLIED;
}

/* ---- the table ---- */

static const char *name_of(const mlr_below *b, uint32_t n)
{
    return b->text.data + b->nodes[n].name;
}

/* A polynomial over a field, at a point that nobody else knows: strangers cannot choose names that meet. */
static size_t hash_of(const mlr_below *b, uint32_t parent, const char *name, size_t len)
{
    uint64_t h = ((uint64_t)(parent >> 16) * b->point + (parent & 0xffff)) % PRIME;

    for (size_t i = 0; i < len; i++)
        h = (h * b->point + (unsigned char)name[i] + 1) % PRIME;
    return (size_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static uint32_t *slot_of(const mlr_below *b, uint32_t parent, const char *name, size_t len)
{
    size_t i = hash_of(b, parent, name, len) & (b->n_slots - 1);

    while (b->slots[i] != NOTHING && (b->nodes[b->slots[i]].parent != parent || strncmp(name_of(b, b->slots[i]), name, len) != 0 || name_of(b, b->slots[i])[len] != '\0'))
        i = (i + 1) & (b->n_slots - 1);
    return &b->slots[i];
}

static int grow_slots(mlr_below *b, mlreg_error **err)
{
    size_t n = b->n_slots > 0 ? 2 * b->n_slots : FIRST_SLOTS;
    uint32_t *slots = mlr_alloc_array(n, sizeof *slots);

    if (slots == NULL)
        return mlr_error_nomem(err);
    memset(slots, 0xff, n * sizeof *slots);
    mlr_free(b->slots);
    b->slots = slots;
    b->n_slots = n;
    for (uint32_t i = 1; i < b->n; i++)
        *slot_of(b, b->nodes[i].parent, name_of(b, i), strlen(name_of(b, i))) = i;
    return 0;
}

static int keep_text(mlr_below *b, const char *text, size_t len, uint32_t *at, mlreg_error **err)
{
    const size_t from = b->text.len;
    int rc = mlr_buf_add(&b->text, text, len, err);

    *at = (uint32_t)from;
    return rc < 0 ? rc : mlr_buf_add(&b->text, "", 1, err);
}

static int add(mlr_below *b, uint32_t parent, const char *name, size_t len, mlreg_error **err)
{
    struct node n = { .parent = parent, .born = b->layer, .cut = b->layer, .kind = IMPLIED };
    int rc;

    if ((rc = keep_text(b, name, len, &n.name, err)) < 0 || (2 * b->n >= b->n_slots && (rc = grow_slots(b, err)) < 0))
        return rc;
    if (mlr_grow(&b->nodes, &b->cap, b->n, sizeof *b->nodes) < 0)
        return mlr_error_nomem(err);
    b->nodes[b->n] = n;
    if (b->n > ROOT)
        *slot_of(b, parent, name, len) = (uint32_t)b->n;
    b->n++;
    return 0;
}

/* ---- names ---- */

static uint32_t find(const mlr_below *b, uint32_t parent, const char *name, size_t len)
{
    const uint32_t n = *slot_of(b, parent, name, len);

    return n == NOTHING || b->nodes[n].kind == GONE || b->nodes[n].born < b->nodes[parent].cut ? NOTHING : n;
}

/* It, or a folder in its place; whatever it is, this layer has put it there. */
static int make(mlr_below *b, uint32_t parent, const char *name, size_t len, uint32_t *out, mlreg_error **err)
{
    const bool is_there = find(b, parent, name, len) != NOTHING;
    struct node *n;
    int rc;

    if (*slot_of(b, parent, name, len) == NOTHING && (rc = add(b, parent, name, len, err)) < 0)
        return rc;
    *out = *slot_of(b, parent, name, len);
    n = &b->nodes[*out];
    if (!is_there) {
        n->kind = IMPLIED;
        n->cut = b->layer;
    }
    n->born = b->layer;
    return 0;
}

static void be(mlr_below *b, struct node *n, unsigned kind)
{
    if (kind != MLR_MEMBER_DIR || !is_folder(n))
        n->cut = b->layer;
    n->kind = kind;
}

static int follow(mlr_below *b, uint32_t at, const char *path, size_t len, bool making, unsigned *links, uint32_t *out, mlreg_error **err);

/* By a copy of the link: names that are made on the way may move all texts. */
static int follow_made(mlr_below *b, uint32_t parent, const char *link, unsigned *links, uint32_t *out, mlreg_error **err)
{
    char *path = mlr_strdup(link);
    int rc = path == NULL ? mlr_error_nomem(err) : follow(b, path[0] == '/' ? ROOT : parent, path, strlen(path), true, links, out, err);

    mlr_free(path);
    return rc;
}

/* One step down, through links. */
static int step(mlr_below *b, uint32_t *at, const char *name, size_t len, bool making, unsigned *links, mlreg_error **err)
{
    const uint32_t parent = *at;
    const char *link;
    int rc;

    *at = find(b, parent, name, len);
    if (making && (rc = make(b, parent, name, len, at, err)) < 0)
        return rc;
    if (*at == NOTHING || is_folder(&b->nodes[*at]))
        return 0;
    if (b->nodes[*at].kind != MLR_MEMBER_SYMLINK || *links == 0) {
        if (making)
            be(b, &b->nodes[*at], IMPLIED);
        else
            *at = NOTHING;
        return 0;
    }
    --*links;
    link = b->text.data + b->nodes[*at].link;
    return making ? follow_made(b, parent, link, links, at, err) : follow(b, link[0] == '/' ? ROOT : parent, link, strlen(link), false, links, at, err);
}

/* Where a path leads, from `at` on: a folder, or NOTHING. */
static int follow(mlr_below *b, uint32_t at, const char *path, size_t len, bool making, unsigned *links, uint32_t *out, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < len && at != NOTHING && rc == 0;) {
        const size_t n = strcspn(path + i, "/") < len - i ? strcspn(path + i, "/") : len - i;

        if (n == 2 && memcmp(path + i, "..", 2) == 0)
            at = b->nodes[at].parent;
        else if (n > 0 && !(n == 1 && path[i] == '.'))
            rc = step(b, &at, path + i, n, making, links, err);
        i += n + 1;
    }
    *out = at;
    return rc;
}

/* ---- laying ---- */

static void white_out(mlr_below *b, uint32_t dir, const char *name)
{
    uint32_t n;

    if (strcmp(name, MLR_OPAQUE) == 0) {
        b->nodes[dir].cut = b->layer;
        return;
    }
    name += MLR_WHITEOUT_LEN;
    if ((n = find(b, dir, name, strlen(name))) == NOTHING)
        return;
    b->nodes[n].cut = b->layer;
    if (b->nodes[n].born < b->layer)           /* what this layer has itself stays */
        b->nodes[n].kind = GONE;
}

static int lay(mlr_below *b, const mlr_listing_at *e, mlreg_error **err)
{
    const char *slash = strrchr(e->name.text, '/'), *last = slash != NULL ? slash + 1 : e->name.text;
    const bool removes = strncmp(last, MLR_WHITEOUT, MLR_WHITEOUT_LEN) == 0;
    const bool is_link = e->kind == MLR_MEMBER_SYMLINK && strlen(e->link) <= LINK_MAX;
    unsigned links = LINKS_MAX;
    uint32_t dir, n, link = 0;
    int rc = follow(b, ROOT, e->name.text, (size_t)(last - e->name.text), !removes, &links, &dir, err);

    if (rc < 0 || dir == NOTHING || last[0] == '\0')
        return rc;
    if (removes) {
        white_out(b, dir, last);
        return 0;
    }
    if ((rc = make(b, dir, last, strlen(last), &n, err)) < 0 ||
        (is_link && (rc = keep_text(b, e->link, strlen(e->link), &link, err)) < 0))
        return rc;
    be(b, &b->nodes[n], e->kind != MLR_MEMBER_SYMLINK || is_link ? (unsigned)e->kind : MLR_MEMBER_OTHER);
    b->nodes[n].link = link;
    return 0;
}

int mlr_below_lay(mlr_below *b, const mlr_listing *l, mlr_op *op, mlreg_error **err)
{
    mlr_listing_at at = { 0 };
    int rc = 0;

    b->layer++;
    if (!l->known) {
        b->nodes[ROOT].cut = ++b->layer;
        b->partial = true;
        return 0;
    }
    while ((rc = mlr_op_check(op, err)) == 0 && mlr_listing_next(l, &at) == 1)
        if ((rc = lay(b, &at, err)) < 0)
            return rc;
    return rc;
}

int mlr_below_new(mlr_below **out, mlreg_error **err)
{
    mlr_below *b = mlr_alloc(sizeof *b);
    int rc;

    if (b == NULL)
        return mlr_error_nomem(err);
    b->text.max = TEXT_MAX;
    b->point = FIRST_POINT + mlr_random_below(PRIME - FIRST_POINT);
    if ((rc = grow_slots(b, err)) == 0)
        rc = add(b, ROOT, "", 0, err);
    if (rc < 0)
        mlr_below_free(b);
    else
        *out = b;
    return rc;
}

void mlr_below_free(mlr_below *b)
{
    if (b == NULL)
        return;
    mlr_buf_done(&b->text);
    mlr_free(b->nodes);
    mlr_free(b->slots);
    mlr_free(b);
}

/* ---- looking ---- */

static mlr_below_says clash(const mlr_below *b, const struct node *n, size_t len, mlr_below_found *out)
{
    *out = (mlr_below_found){ len, is_folder(n) ? MLR_MEMBER_DIR : (mlr_member_kind)n->kind, n->kind == MLR_MEMBER_SYMLINK ? b->text.data + n->link : NULL };
    return MLR_BELOW_CLASH;
}

/* Nothing but a link may take the place of one that leads to a folder. */
static mlr_below_says look_at_link(mlr_below *b, uint32_t n, uint32_t *at, const char *name, size_t from, size_t len, mlr_member_kind kind, mlr_below_found *out)
{
    unsigned links = LINKS_MAX;

    (void)step(b, at, name + from, len, false, &links, NULL);
    if (*at == NOTHING && (b->partial || kind != MLR_MEMBER_DIR))
        return MLR_BELOW_FREE;
    if (kind == MLR_MEMBER_SYMLINK)
        return MLR_BELOW_FREE;
    (void)clash(b, &b->nodes[n], from + len, out);
    return kind == MLR_MEMBER_DIR && *at != NOTHING ? MLR_BELOW_LINK : MLR_BELOW_CLASH;
}

/* One part of the name; *at goes on to where it leads. */
static mlr_below_says look(mlr_below *b, uint32_t *at, const char *name, size_t from, size_t len, mlr_member_kind kind, mlr_below_found *out)
{
    const uint32_t n = find(b, *at, name + from, len);

    if (n != NOTHING && b->nodes[n].kind == MLR_MEMBER_SYMLINK)
        return look_at_link(b, n, at, name, from, len, kind, out);
    *at = n;
    if (n == NOTHING || is_folder(&b->nodes[n]) == (kind == MLR_MEMBER_DIR) || (b->nodes[n].kind == IMPLIED && b->partial))
        return MLR_BELOW_FREE;
    return clash(b, &b->nodes[n], from + len, out);
}

mlr_below_says mlr_below_look(mlr_below *b, const char *name, mlr_member_kind kind, mlr_below_found *out)
{
    mlr_below_says says, all = MLR_BELOW_FREE;
    uint32_t at = ROOT;

    for (size_t from = 0, len; at != NOTHING; from += len + 1) {
        len = strcspn(name + from, "/");
        if (name[from + len] == '\0')
            return (says = look(b, &at, name, from, len, kind, out)) == MLR_BELOW_FREE ? all : says;
        if ((says = look(b, &at, name, from, len, MLR_MEMBER_DIR, out)) == MLR_BELOW_CLASH)
            return says;
        if (says == MLR_BELOW_LINK)
            all = MLR_BELOW_THROUGH;
    }
    return all;
}
