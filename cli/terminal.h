#pragma once

#include "base/cancellation.h"
#include "base/result.h"
#include "base/secret.h"

#include <string_view>

namespace meshtrust::cli {

/// The person at the keyboard. Rules: questions go to the terminal itself, never to stdout or
/// stderr; what is typed secretly is not echoed and lives in a `Secret`; where there is no terminal
/// nobody is asked.
class Terminal {
 public:
  Terminal() = default;
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  virtual ~Terminal() = default;

  /// Whether somebody can be asked.
  virtual bool is_there() const = 0;
  /// Whether narration may use one live line a cluster: stderr is a terminal of useful size.
  virtual bool can_redraw() const = 0;
  virtual int columns() const = 0;
  /// Whether answers are read by a person: stdout is a terminal.
  virtual bool shows_answers() const = 0;
  /// True only for "y" or "yes".
  virtual base::Result<bool> confirm(std::string_view question) = 0;
  virtual base::Result<base::Secret> ask_secret(std::string_view prompt) = 0;
};

/// /dev/tty. Nobody is there when CI is set or there is none. A question ends with the
/// cancellation.
class SystemTerminal final : public Terminal {
 public:
  SystemTerminal(const base::Cancellation& cancellation, bool in_ci);
  bool is_there() const override;
  bool can_redraw() const override;
  int columns() const override;
  bool shows_answers() const override;
  base::Result<bool> confirm(std::string_view question) override;
  base::Result<base::Secret> ask_secret(std::string_view prompt) override;

 private:
  const base::Cancellation& cancellation_;
  bool in_ci_;
};

}  // namespace meshtrust::cli
