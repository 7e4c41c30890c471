#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

namespace meshtrust::run {

/// How long one piece of work may take before it no longer counts among those that are worked on.
inline constexpr std::chrono::milliseconds kPoolPatience{500};
/// Never more threads than this for each worker asked for.
inline constexpr std::size_t kMostThreadsPerWorker = 4;

/// Calls `work(0)` to `work(count - 1)`, each once, and returns when all are done. At most
/// `workers` are worked on at a time; one that takes longer than `patience`, such as a server that
/// does not answer, is waited for beside them and holds up no other, until four times as many
/// threads run. What `work` throws is thrown again here, when all are done.
void for_each_index(std::size_t count,
                    std::size_t workers,
                    const std::function<void(std::size_t)>& work,
                    std::chrono::milliseconds patience = kPoolPatience);

}  // namespace meshtrust::run
