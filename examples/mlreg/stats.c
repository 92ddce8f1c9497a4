/* stats.c - what a move took, for --stats: as far as the library counts it. */
#include "cli.h"

#define MOST_LAYERS 20           /* that are told to people: those that took longest */

/* The bodies that went over the network, or where none did what moved on the disk. */
static uint64_t per_s(const mlreg_stats *s)
{
    uint64_t bytes = s->bytes_network > 0 ? s->bytes_network : s->bytes_done - s->bytes_reused;

    return s->elapsed_ms > 0 ? bytes * 1000 / s->elapsed_ms : 0;
}

/* ---- for programs ---- */

static void json_layers(const mlreg_op *op)
{
    mlreg_blob_stats b;

    MLREG_INIT(b);
    printf(",\"layers\":[");
    for (size_t i = 0; mlreg_op_blob_at(op, i, &b, NULL) == 0; i++) {
        printf("%s{", i > 0 ? "," : "");
        json_field("name", b.name, true);
        json_number("bytes", b.bytes, false);
        json_number("began_ms", b.began_ms, false);
        json_number("elapsed_ms", b.elapsed_ms, false);
        printf("}");
    }
    printf("]");
}

void json_stats(const job *j)
{
    const mlreg_stats *s = &j->stats;

    printf(",\"stats\":{");
    json_number("requests", s->requests, true);
    json_number("retries", s->retries, false);
    json_number("files", s->blobs_done, false);
    json_number("bytes_moved", s->bytes_done - s->bytes_reused, false);
    json_number("bytes_reused", s->bytes_reused, false);
    json_number("bytes_resumed", s->bytes_resumed, false);
    json_number("bytes_network", s->bytes_network, false);
    json_number("elapsed_ms", s->elapsed_ms, false);
    json_number("wait_ms", s->wait_ms, false);
    json_number("network_ms", s->network_ms, false);
    json_number("hash_ms", s->hash_ms, false);
    json_number("write_ms", s->write_ms, false);
    json_number("sync_ms", s->sync_ms, false);
    json_number("bytes_per_s", per_s(s), false);
    json_layers(j->op);
    printf("}");
}

/* ---- for people ---- */

static const char *seconds(uint64_t ms, char out[32])
{
    snprintf(out, 32, "%llu.%03llu s", (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
    return out;
}

/* The slowest first; of equals the earlier. Gives how many there are at all. */
static size_t slowest(const mlreg_op *op, mlreg_blob_stats out[MOST_LAYERS])
{
    mlreg_blob_stats b;
    size_t n;

    MLREG_INIT(b);
    for (n = 0; mlreg_op_blob_at(op, n, &b, NULL) == 0; n++) {
        size_t i = n < MOST_LAYERS ? n : MOST_LAYERS;

        for (; i > 0 && out[i - 1].elapsed_ms < b.elapsed_ms; i--)
            if (i < MOST_LAYERS)
                out[i] = out[i - 1];
        if (i < MOST_LAYERS)
            out[i] = b;
    }
    return n;
}

static void say_layers(const mlreg_op *op)
{
    mlreg_blob_stats layers[MOST_LAYERS];
    size_t n = slowest(op, layers);
    char text[3][32];

    for (size_t i = 0; i < n && i < MOST_LAYERS; i++) {
        fprintf(stderr, "  ");
        write_text(stderr, layers[i].name);
        fprintf(stderr, ": %s in %s, from %s on\n", human(layers[i].bytes, text[0]), seconds(layers[i].elapsed_ms, text[1]),
            seconds(layers[i].began_ms, text[2]));
    }
    if (n > MOST_LAYERS)
        fprintf(stderr, "  and %zu that took no longer\n", n - MOST_LAYERS);
}

void say_stats(const job *j)
{
    const mlreg_stats *s = &j->stats;
    char text[5][32];

    fflush(stdout);                    /* what was done stands before what it took */
    fprintf(stderr, "stats: %u requests, %u of them again; %u files\n", s->requests, s->retries, s->blobs_done);
    fprintf(stderr, "  content: %s moved, %s there already, %s kept from a try that broke off\n",
        human(s->bytes_done - s->bytes_reused, text[0]), human(s->bytes_reused, text[1]), human(s->bytes_resumed, text[2]));
    fprintf(stderr, "  network: %s in bodies, both ways\n", human(s->bytes_network, text[0]));
    fprintf(stderr, "  time: %s", seconds(s->elapsed_ms, text[0]));
    fprintf(stderr, s->elapsed_ms > 0 ? ", %s/s\n" : "\n", human(per_s(s), text[0]));
    fprintf(stderr, "  spent, all threads together: %s waiting for answers, %s on the network, %s hashing, %s writing, %s syncing\n",
        seconds(s->wait_ms, text[0]), seconds(s->network_ms, text[1]), seconds(s->hash_ms, text[2]), seconds(s->write_ms, text[3]),
        seconds(s->sync_ms, text[4]));
    say_layers(j->op);
}
