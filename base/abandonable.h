#pragma once

#include "base/cancellation.h"
#include "base/result.h"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace meshtrust::base {

/// Runs `work`, a computation that cannot be interrupted, and waits for its end or for
/// `cancellation`. False when the cancellation came first: then `work` goes on by itself until the
/// process ends, so it must own everything that it touches, and change nothing but that. Without a
/// cancellation it runs in the caller's own thread.
bool finishes(const Cancellation* cancellation, std::function<void()> work);

/// Whether work that was given up still runs. The program then has to end without running the
/// destructors of static objects, which that work may be using.
bool is_abandoned_work_running();

/// What `work` gives, or kCancelled.
template <class T>
Result<T> run_abandonably(const Cancellation* cancellation, std::function<Result<T>()> work) {
  const auto result = std::make_shared<std::optional<Result<T>>>();
  if (!finishes(cancellation, [result, work = std::move(work)] { *result = work(); })) {
    return fail(Code::kCancelled, "interrupted");
  }
  return std::move(**result);
}

}  // namespace meshtrust::base
