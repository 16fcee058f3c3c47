// While a thread's work is recorded rather than done (cuda/graph.h): what index tensors make of it.
#pragma once

namespace ink {

// While one lives, it is. What ops derive from an index tensor for the device (Storage::derived) is
// made while the work is done as usual, or the tensor itself is made while it is recorded: an Error
// otherwise, as nothing would be sent before the first replay, and to memory that is the replays'.
class RecordingScope {
 public:
  RecordingScope();
  ~RecordingScope();
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
};

}  // namespace ink
