// Options that name a model: a folder, or a name such as hfl/rbt3 in the cache or on a hub.
#pragma once
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/verbs.h"

namespace ink::cli {

inline constexpr const char* kModelHelp = "model folder, or a model's name such as hfl/rbt3";

// Declares --offline and --revision, and returns an action that turns `model` into a folder before
// it does `action`, as the command does when it is tried out; an empty `model` stays empty. `model`
// should live as long as the action.
Action with_model(Command& command, std::string& model, Action action);
Action with_models(Command& command, std::vector<std::string>& models, Action action);

}  // namespace ink::cli
