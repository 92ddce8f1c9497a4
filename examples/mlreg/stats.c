/* stats.c - what a move took, for --stats: as far as the library counts it. */
#include "cli.h"

/* The bodies that went over the network, or where none did what moved on the disk. */
static uint64_t per_s(const mlreg_stats *s)
{
    uint64_t bytes = s->bytes_network > 0 ? s->bytes_network : s->bytes_done - s->bytes_reused;

    return s->elapsed_ms > 0 ? bytes * 1000 / s->elapsed_ms : 0;
}

void json_stats(const mlreg_stats *s)
{
    printf(",\"stats\":{");
    json_number("requests", s->requests, true);
    json_number("retries", s->retries, false);
    json_number("files", s->blobs_done, false);
    json_number("bytes_moved", s->bytes_done - s->bytes_reused, false);
    json_number("bytes_reused", s->bytes_reused, false);
    json_number("bytes_resumed", s->bytes_resumed, false);
    json_number("bytes_network", s->bytes_network, false);
    json_number("elapsed_ms", s->elapsed_ms, false);
    json_number("bytes_per_s", per_s(s), false);
    printf("}");
}

void say_stats(const mlreg_stats *s)
{
    char text[4][32];

    fflush(stdout);                    /* what was done stands before what it took */
    fprintf(stderr, "stats: %u requests, %u of them again; %u files\n", s->requests, s->retries, s->blobs_done);
    fprintf(stderr, "  content: %s moved, %s there already, %s kept from a try that broke off\n",
        human(s->bytes_done - s->bytes_reused, text[0]), human(s->bytes_reused, text[1]), human(s->bytes_resumed, text[2]));
    fprintf(stderr, "  network: %s in bodies, both ways\n", human(s->bytes_network, text[0]));
    fprintf(stderr, "  time: %llu.%03llu s", (unsigned long long)(s->elapsed_ms / 1000), (unsigned long long)(s->elapsed_ms % 1000));
    fprintf(stderr, s->elapsed_ms > 0 ? ", %s/s\n" : "\n", human(per_s(s), text[0]));
}
