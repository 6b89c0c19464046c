/* The random generator against CPython's: vectors made with python3's random.Random(seed). */
#include "support.h"

struct vector {
    uint64_t seed;
    double random[2];
    uint64_t bits[7];  /* getrandbits(1, 7, 31, 32, 33, 53, 64) */
    uint64_t below[5]; /* randrange(1, 2, 10, 1000, 2 ** 40) */
    double gauss[3];   /* gauss(1, 2) */
    size_t shuffled[10];
    size_t sample4of10[4];
    size_t sample8of1000[8];
    size_t sample6of30[6];
};

static const struct vector vectors[] = {
    {.seed = 0u,
     .random = {0.8444218515250481, 0.7579544029403025},
     .bits = {0u, 5u, 556019485u, 4146640122u, 2195908194u, 8270717181870968u,
              15308084094301570617u},
     .below = {0u, 1u, 5u, 597u, 619073466650u},
     .gauss = {1.570181250350517, 1.6869935592152472, 2.8045447520796305},
     .shuffled = {3, 7, 1, 9, 6, 5, 0, 4, 2, 8},
     .sample4of10 = {5, 6, 9, 4},
     .sample8of1000 = {655, 934, 209, 989, 565, 488, 453, 886},
     .sample6of30 = {16, 8, 1, 25, 17, 0}},
    {.seed = 1u,
     .random = {0.13436424411240122, 0.8474337369372327},
     .bits = {1u, 8u, 547756574u, 506456969u, 6422844795u, 4253608691488931u, 7002664860023442459u},
     .below = {0u, 0u, 7u, 29u, 950861988493u},
     .gauss = {-1.6656498146392638, -1.1338837035262457, 0.47457329911600943},
     .shuffled = {2, 9, 8, 4, 7, 6, 0, 5, 1, 3},
     .sample4of10 = {6, 0, 3, 9},
     .sample8of1000 = {448, 961, 507, 566, 238, 353, 236, 693},
     .sample6of30 = {7, 24, 14, 9, 0, 13}},
    {.seed = 42u,
     .random = {0.6394267984578837, 0.025010755222666936},
     .bits = {0u, 31u, 479341423u, 599310825u, 3163119785u, 6671341247540589u,
              10060236952204337488u},
     .below = {0u, 1u, 0u, 30u, 477143787866u},
     .gauss = {1.2951919650719792, 3.6988264793263004, -1.9413723434954764},
     .shuffled = {5, 1, 9, 0, 2, 4, 7, 3, 6, 8},
     .sample4of10 = {5, 4, 2, 1},
     .sample8of1000 = {980, 781, 344, 104, 94, 389, 99, 367},
     .sample6of30 = {27, 11, 19, 8, 25, 1}},
    {.seed = 4294967295u,
     .random = {0.6353574441341173, 0.20319993954407756},
     .bits = {1u, 66u, 625638275u, 2590083323u, 5755375622u, 6056047258162436u,
              16119995193880888781u},
     .below = {0u, 1u, 7u, 420u, 477017422523u},
     .gauss = {3.7013780647693504, 0.5061569283728118, 2.4383222746428954},
     .shuffled = {3, 1, 4, 7, 0, 6, 9, 2, 5, 8},
     .sample4of10 = {7, 4, 1, 6},
     .sample8of1000 = {0, 560, 460, 772, 759, 212, 67, 243},
     .sample6of30 = {20, 12, 15, 13, 5, 9}},
    {.seed = 4294967296u,
     .random = {0.11299430095636409, 0.41782886486292836},
     .bits = {0u, 2u, 1313661828u, 3762791315u, 7755194880u, 7546624035121889u,
              18349438830298068874u},
     .below = {0u, 0u, 2u, 77u, 953297164300u},
     .gauss = {-0.8321334402534148, 0.9875216850360284, -2.364833854862526},
     .shuffled = {3, 0, 6, 9, 7, 8, 5, 4, 1, 2},
     .sample4of10 = {9, 8, 2, 1},
     .sample8of1000 = {613, 5, 390, 743, 49, 362, 834, 724},
     .sample6of30 = {0, 8, 7, 5, 2, 11}},
    {.seed = 81985529216486895u,
     .random = {0.8966868918276133, 0.39320805130548475},
     .bits = {1u, 65u, 416092505u, 3194071721u, 5731152759u, 7317869150749860u,
              9433377245168612068u},
     .below = {0u, 1u, 1u, 943u, 157646260282u},
     .gauss = {0.25331809266003713, 0.881434559653425, 1.0423561426576518},
     .shuffled = {9, 5, 2, 8, 0, 7, 3, 4, 6, 1},
     .sample4of10 = {3, 6, 2, 1},
     .sample8of1000 = {910, 820, 630, 553, 842, 430, 533, 565},
     .sample6of30 = {26, 8, 22, 3, 7, 27}},
};

/* Every kind of draw, one after the other from each seed, is CPython's. */
static void test_vectors(void **state)
{
    static const unsigned bits[] = {1, 7, 31, 32, 33, 53, 64};
    static const uint64_t limits[] = {1, 2, 10, 1000, (uint64_t)1 << 40};

    (void)state;
    for (size_t v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
        const struct vector *vector = &vectors[v];
        size_t items[10];
        struct rng rng;

        rng_seed(&rng, vector->seed);
        for (size_t i = 0; i < 2; i++)
            assert_true(rng_random(&rng) == vector->random[i]);
        for (size_t i = 0; i < 7; i++)
            assert_true(rng_getrandbits(&rng, bits[i]) == vector->bits[i]);
        for (size_t i = 0; i < 5; i++)
            assert_true(rng_below(&rng, limits[i]) == vector->below[i]);
        for (size_t i = 0; i < 3; i++)
            assert_true(fabs(rng_gauss(&rng, 1, 2) - vector->gauss[i]) < 1e-14);
        for (size_t i = 0; i < 10; i++)
            items[i] = i;
        rng_shuffle(&rng, items, 10);
        assert_memory_equal(items, vector->shuffled, sizeof(vector->shuffled));
        rng_sample(&rng, 10, 4, items);
        assert_memory_equal(items, vector->sample4of10, sizeof(vector->sample4of10));
        rng_sample(&rng, 1000, 8, items);
        assert_memory_equal(items, vector->sample8of1000, sizeof(vector->sample8of1000));
        rng_sample(&rng, 30, 6, items);
        assert_memory_equal(items, vector->sample6of30, sizeof(vector->sample6of30));
    }
}

/* choices() and uniform() are CPython's. */
static void test_choice(void **state)
{
    static const double weights[] = {0.5, 0, 3, 1e-9, 2};
    static const size_t expected[2][12] = {{4, 4, 2, 2, 2, 2, 4, 2, 2, 2, 4, 2},
                                           {4, 0, 2, 2, 4, 4, 4, 0, 2, 0, 2, 2}};
    static const double uniform[2][3] = {
        {-0.44989185580162894, 2.1569231228647316, 1.4010294817143238},
        {-1.8540521667387502, -0.9063929212234334, 1.5743644077873777}};
    static const double next[] = {0.9097462559682401, 0.2204406220406967};

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        struct rng rng;

        rng_seed(&rng, s ? 42 : 0);
        for (size_t i = 0; i < 12; i++)
            assert_int_equal(rng_choice(&rng, weights, 5), expected[s][i]);
        for (size_t i = 0; i < 3; i++)
            assert_true(rng_uniform(&rng, -2, 3.5) == uniform[s][i]);
        assert_int_equal(rng_choice(&rng, &weights[2], 1), 0);
        assert_true(rng_random(&rng) == next[s]);
    }
}

/* The state is renewed as CPython's is, far beyond its 624 words. */
static void test_long_run(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 7);
    for (size_t i = 0; i < 5000; i++)
        rng_random(&rng);
    assert_true(rng_random(&rng) == 0.9597776466029644);
}

/* Poisson deviates are those of River's utils.random.poisson(), from the same random numbers. */
static void test_poisson(void **state)
{
    static const uint64_t expected[] = {1, 0, 0, 3, 1, 0, 1, 0, 1, 0, 2, 2,
                                        0, 1, 0, 0, 3, 2, 2, 2, 0, 0, 0, 0};
    static const uint64_t wider[] = {4, 6, 9, 3, 8, 8, 4, 6, 6, 8, 7, 5, 4, 4, 7, 6};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 42);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(rng_poisson(&rng, 1) == expected[i]);
    for (size_t i = 0; i < sizeof(wider) / sizeof(wider[0]); i++)
        assert_true(rng_poisson(&rng, 6) == wider[i]);
}

/* A generator that was saved and loaded goes on where it was, with a normal deviate waiting. */
static void test_saved(void **state)
{
    struct buf blob = BUF_INIT;
    struct blob_reader in;
    struct rng rng;
    struct rng again;

    (void)state;
    rng_seed(&rng, 9);
    for (size_t i = 0; i < 1001; i++)
        rng_gauss(&rng, 0, 1);
    rng_save(&rng, &blob);
    blob_reader_init(&in, blob.data, blob.len);
    rng_load(&again, &in);
    assert_false(blob_failed(&in));
    assert_int_equal(blob_left(&in), 0);
    for (size_t i = 0; i < 2000; i++) {
        assert_true(rng_gauss(&rng, 0, 1) == rng_gauss(&again, 0, 1));
        assert_true(rng_getrandbits(&rng, 40) == rng_getrandbits(&again, 40));
    }

    /* An index beyond the state is refused. */
    blob.data[RNG_WORDS * 4] = (char)0xff;
    blob.data[RNG_WORDS * 4 + 1] = (char)0xff;
    blob_reader_init(&in, blob.data, blob.len);
    rng_load(&again, &in);
    assert_true(blob_failed(&in));
    buf_release(&blob);
}

/* Seeded as NumPy's RandomState: its first three 32-bit integers, and the double after them. */
static void test_numpy(void **state)
{
    static const struct {
        uint32_t seed;
        uint32_t words[3];
        double next;
    } known[] = {
        {0, {2357136044, 2546248239, 3071714933}, 0.8442657485810173},
        {42, {1608637542, 3421126067, 4083286876}, 0.1834347898661638},
        {4294967295, {419326371, 479346978, 3918654476}, 0.5626933782475836},
    };
    struct rng rng;

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        rng_seed_numpy(&rng, known[i].seed);
        for (size_t k = 0; k < 3; k++)
            assert_true(rng_getrandbits(&rng, 32) == known[i].words[k]);
        assert_true(rng_random(&rng) == known[i].next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_long_run), cmocka_unit_test(test_poisson),
        cmocka_unit_test(test_saved),    cmocka_unit_test(test_numpy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
