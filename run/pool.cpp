#include "run/pool.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

namespace meshtrust::run {
namespace {

using Steady = std::chrono::steady_clock;

/// The threads of one call. The caller's own thread only looks after them.
class Pool {
 public:
  Pool(std::size_t count,
       std::size_t workers,
       const std::function<void(std::size_t)>& work,
       std::chrono::milliseconds patience)
      : count_(count), workers_(workers), work_(work), patience_(patience) {}

  void run() {
    {
      std::unique_lock lock(mutex_);
      while (next_ < count_) {
        add_threads_locked();
        changed_.wait_for(lock, patience_ / 4);
      }
    }
    for (Worker& worker : threads_) {
      worker.thread.join();
    }
    if (problem_) std::rethrow_exception(problem_);
  }

 private:
  struct Worker {
    std::optional<Steady::time_point> begun;  ///< of what it works on
    std::thread thread;
  };

  /// As many as it takes for `workers_` of them not to be stuck.
  void add_threads_locked() {
    const auto now = Steady::now();
    std::size_t moving = 0;
    for (const Worker& worker : threads_) {
      moving += worker.begun && now - *worker.begun >= patience_ ? 0 : 1;
    }
    const std::size_t most = std::min(count_, workers_ * kMostThreadsPerWorker);
    for (; moving < workers_ && threads_.size() < most; ++moving) {
      Worker& worker = threads_.emplace_back();
      worker.thread = std::thread([this, &worker] { drain(worker); });
    }
  }

  void drain(Worker& self) {
    std::unique_lock lock(mutex_);
    while (next_ < count_) {
      const std::size_t index = next_++;
      self.begun = Steady::now();
      lock.unlock();
      std::exception_ptr problem = attempt(index);
      lock.lock();
      self.begun.reset();
      if (problem) problem_ = std::move(problem);
    }
    changed_.notify_one();
  }

  std::exception_ptr attempt(std::size_t index) const {
    try {
      work_(index);
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  const std::size_t count_;
  const std::size_t workers_;
  const std::function<void(std::size_t)>& work_;
  const std::chrono::milliseconds patience_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;
  std::list<Worker> threads_;
  std::exception_ptr problem_;
};

}  // namespace

void for_each_index(std::size_t count,
                    std::size_t workers,
                    const std::function<void(std::size_t)>& work,
                    std::chrono::milliseconds patience) {
  Pool(count, workers, work, patience).run();
}

}  // namespace meshtrust::run
