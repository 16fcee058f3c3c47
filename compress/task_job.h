// One of the tasks that a student learns, with all that belongs to it: data, teacher, student.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compress/distill_setup.h"
#include "compress/multi_task.h"
#include "compress/teacher.h"
#include "compress/teachers.h"
#include "tasks/batch_stream.h"

namespace ink {

// Its parts refer to each other, so it stays where it is.
struct TaskJob {
  std::string name;
  DistillOptions options;  // as job_of says
  DistillSetup setup;
  Sessions sessions;  // of its teacher
  Model student;      // whose body's parameters become those of all tasks (JointParameters)
  Teacher teacher;
  BatchStream batches;

  // `alone` and `checked`: the task as job_of says, and what set_up made of it.
  TaskJob(const TaughtTask& task, DistillOptions alone, DistillSetup checked);
};
using TaskJobs = std::vector<std::unique_ptr<TaskJob>>;

// What set_up makes of each task. Raises Error as distill_tasks does; no weight is made.
std::vector<DistillSetup> setups_of(const MultiTaskOptions& options);
// The batches of a task, in the order that training draws them.
BatchStream batches_of(const DistillOptions& options, const std::string& name,
                       const Features& train);

TaskJobs jobs_of(const MultiTaskOptions& options);

// The parameters of all students: the body once, under its own names, the heads as TASK.NAME.
class JointParameters {
 public:
  // Refers to the jobs. Raises Error where their students differ in size.
  explicit JointParameters(const TaskJobs& jobs);

  // Hands the values, as a tape watches them, to the students.
  void refresh() const;

  Parameters all;

 private:
  void add(TaskJob& job);

  std::vector<std::pair<Parameter*, Parameter*>> links_;
};

}  // namespace ink
