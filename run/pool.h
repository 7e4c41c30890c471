#pragma once

#include <cstddef>
#include <functional>

namespace meshtrust::run {

/// Calls `work(0)` to `work(count - 1)`, each once, from at most `workers` threads, and returns
/// when all are done. What `work` throws is thrown again here, after that.
void for_each_index(std::size_t count,
                    std::size_t workers,
                    const std::function<void(std::size_t)>& work);

}  // namespace meshtrust::run
