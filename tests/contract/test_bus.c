/* The contract of bus.h in memory and on a Redis server of its own. */
#include "contract/bus_fixture.h"

int main(void)
{
    fixture_use_memory();
    int failed = run_contract("bus on memory");
    if (!redis_server_available())
        return failed ? 1 : 77;

    fixture_use_redis();
    failed += run_contract("bus on redis");
    failed += run_redis_tests();
    failed += run_fake_tests();
    fixture_stop_redis();
    return failed ? 1 : 0;
}
