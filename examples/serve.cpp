/* serve.cpp - a serving binary in C++: pulls its model before it answers, and maps the weights where they lie.
 *
 *     c++ serve.cpp $(pkg-config --cflags --libs mlreg) -o serve
 *     ./serve https://ghcr.io team/llama:v1 ./models model.safetensors
 *
 * The second start moves nothing. Without the registry, what the store has still serves. */
#include "mlreg.hpp"

#include <iostream>
#include <sys/mman.h>
#include <unistd.h>

/* One file of a model, mapped from the store: nothing is copied. */
class mapping {
    void *at = nullptr;
    size_t n = 0;

public:
    mapping(const mlreg::artifact &model, size_t layer) : n(static_cast<size_t>(model.bytes(layer)))
    {
        int fd = model.open_fd(layer);

        at = n > 0 ? mmap(nullptr, n, PROT_READ, MAP_SHARED, fd, 0) : nullptr;
        close(fd);
        if (at == MAP_FAILED)
            throw std::runtime_error("cannot map " + model.title(layer));
    }
    mapping(const mapping &) = delete;
    mapping &operator=(const mapping &) = delete;
    ~mapping() { if (at != nullptr) munmap(at, n); }
    const unsigned char *data() const { return static_cast<const unsigned char *>(at); }
    size_t size() const { return n; }
};

/* From the registry; if that cannot be reached, what was pulled before. */
static mlreg::artifact fetch(const std::string &registry, const std::string &ref, mlreg::session &store)
{
    mlreg::op op([](const mlreg_stats &s) {
        std::cerr << s.bytes_done << " of " << s.bytes_total << " bytes\n";
        return true;
    });

    try {
        return mlreg::session(registry).copy(ref, store, op, MLREG_COPY_MOVE_TAG);
    } catch (const mlreg::error &e) {
        if (e.code != MLREG_ENET && e.code != MLREG_ETIMEDOUT)
            throw;
        std::cerr << e.what() << ": serving what is here\n";
        mlreg::op quiet;
        return store.copy(ref, store, quiet);
    }
}

static size_t layer_of(const mlreg::artifact &model, const std::string &file)
{
    for (size_t i = 0; i < model.layers(); i++)
        if (model.title(i) == file)
            return i;
    throw std::runtime_error("the model has no " + file);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::cerr << "usage: serve REGISTRY REPO:TAG STORE FILE\n";
        return 2;
    }
    try {
        mlreg::session store(argv[3], MLREG_OPEN_CREATE);
        mlreg::artifact model = fetch(argv[1], argv[2], store);
        mapping weights(model, layer_of(model, argv[4]));

        std::cout << "serving " << model.digest() << ", " << weights.size() << " bytes of weights, the first is "
                  << (weights.size() > 0 ? int(weights.data()[0]) : -1) << "\n";
    } catch (const mlreg::error &e) {
        std::cerr << e.what() << "\n" << e.hint << "\n";
        return 1;
    } catch (const std::exception &e) {
        std::cerr << e.what() << "\n";
        return 1;
    }
}
