#include "run/pool.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace meshtrust::run {

void for_each_index(std::size_t count,
                    std::size_t workers,
                    const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  const auto drain = [&] {
    for (std::size_t index = next++; index < count; index = next++)
      work(index);
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < std::min(workers, count); ++i)
    threads.emplace_back(drain);
}

}  // namespace meshtrust::run
