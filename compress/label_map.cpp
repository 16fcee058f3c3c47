// Comparing label maps.
#include "compress/label_map.h"

#include <algorithm>

#include "tasks/text_task.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {

Labels labels_of_teacher(const Task& task, const std::string& folder, const ModelConfig& config) {
  try {
    return task.labels_of(config);
  } catch (const Error& error) {
    fail("", "distill: the teacher ", folder, " does not do the task ", task.name, ": ",
         error.message());
  }
}

void check_same_labels(const std::string& who, const Labels& labels, const std::string& other,
                       const Labels& its) {
  if (labels == its) return;
  constexpr const char* kRemedy =
      "; logits are compared by number: expected the same labels in the same order (id2label of "
      "config.json). Fine-tune both for the same labels, or let a student begin without a head";
  const auto [mine, theirs] = std::ranges::mismatch(labels.names(), its.names());
  if (mine == labels.names().end() || theirs == its.names().end())
    fail("", "distill: ", who, " has ", labels.size(), " labels (", labels.known(), "), ", other,
         " has ", its.size(), " (", its.known(), ')', kRemedy);
  fail("", "distill: label ", mine - labels.names().begin(), " of ", who, " is ", in_quotes(*mine),
       ", of ", other, ' ', in_quotes(*theirs), kRemedy);
}

void check_labels_of_student(const std::filesystem::path& folder, const Task& task,
                             const std::string& teacher, const Labels& labels) {
  if (folder.empty()) return;
  const ModelConfig config = ModelConfig::read(folder / "config.json");
  const Heads own = heads_from(*config.family, config.architectures);
  const Heads& wanted = task.heads;
  if (!(own.classification && wanted.classification) && !(own.tagging && wanted.tagging)) return;
  const std::string who = "the student " + folder.string();
  check(!own.classification || task.done_by(config), "distill: ", who, " has a head of the task ",
        task_of(problem_from(config.problem_type, config.label_count())), ", ", teacher,
        " one of the task ", task.name,
        ", and what they say cannot be compared; fine-tune the student for the same task, or let "
        "it begin without a head");
  check_same_labels(who, labels_in(config), teacher, labels);
}

}  // namespace ink
