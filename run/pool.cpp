#include "run/pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace meshtrust::run {

void for_each_index(std::size_t count,
                    std::size_t workers,
                    const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr problem;
  std::mutex problem_mutex;
  const auto drain = [&] {
    try {
      for (std::size_t index = next++; index < count; index = next++) {
        work(index);
      }
    } catch (...) {
      const std::lock_guard guard(problem_mutex);
      problem = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min(workers, count); ++i) {
      threads.emplace_back(drain);
    }
  }
  if (problem) std::rethrow_exception(problem);
}

}  // namespace meshtrust::run
