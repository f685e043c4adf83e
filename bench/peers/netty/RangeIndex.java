import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;

/** The index as one would write it by hand: a binary search by start, and each event's JSON as rendered once. */
final class RangeIndex {
  private static final byte[] HEAD = bytes("{\"data\":{\"events\":[");
  private static final byte[] TAIL = bytes("]},\"error\":null}");

  /** Prices are decimals: a double would be written 12.0. */
  record Event(String id, String title,
      @JsonProperty("start_date") String startDate, @JsonProperty("start_time") String startTime,
      @JsonProperty("end_date") String endDate, @JsonProperty("end_time") String endTime,
      @JsonProperty("min_price") BigDecimal minPrice, @JsonProperty("max_price") BigDecimal maxPrice) {}

  record Data(List<Event> events) {}

  record Answer(Data data, String error) {}

  private final Event[] events;
  private final long[] starts;
  private final long[] ends;
  /** The JSON of all events, each with a comma behind it; that of event i begins at offsets[i]. */
  private final ByteBuf rendered;
  private final int[] offsets;
  private final ObjectWriter writer;

  /** Reads a JSON array of search results in the order of answers. */
  RangeIndex(File file) throws IOException {
    // Else what is beyond 16 bits would be written as two escapes.
    var mapper = JsonMapper.builder().enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8).build();
    events = mapper.readValue(file, Event[].class);
    writer = mapper.writerFor(Answer.class);
    starts = new long[events.length];
    ends = new long[events.length];
    offsets = new int[events.length + 1];
    var all = new ByteArrayOutputStream();
    for (int i = 0; i < events.length; i++) {
      Event event = events[i];
      starts[i] = seconds(event.startDate, event.startTime);
      ends[i] = event.endDate == null ? starts[i] : seconds(event.endDate, event.endTime);
      all.writeBytes(mapper.writeValueAsBytes(event));
      all.write(',');
      offsets[i + 1] = all.size();
    }
    rendered = Unpooled.directBuffer(all.size()).writeBytes(all.toByteArray());
  }

  byte[] json(long from, long until) throws IOException {
    var found = new ArrayList<Event>();
    // None of the workload's events ends before it starts.
    for (int i = first(from); i < starts.length && starts[i] <= until; i++) {
      if (ends[i] <= until) found.add(events[i]);
    }
    return writer.writeValueAsBytes(new Answer(new Data(found), null));
  }

  ByteBuf fragments(long from, long until, ByteBufAllocator allocator) {
    int first = first(from);
    int last = first(until + 1);
    ByteBuf body = allocator.directBuffer(HEAD.length + offsets[last] - offsets[first] + TAIL.length);
    body.writeBytes(HEAD);
    boolean isFirst = true;
    for (int i = first; i < last; i++) {
      if (ends[i] > until) continue;
      int begin = i;
      while (i + 1 < last && ends[i + 1] <= until) i++;
      if (!isFirst) body.writeByte(',');
      isFirst = false;
      // The comma behind the last fragment of a run is written before the next run.
      body.writeBytes(rendered, offsets[begin], offsets[i + 1] - 1 - offsets[begin]);
    }
    return body.writeBytes(TAIL);
  }

  /** The place of the first event that starts at or after a time. */
  private int first(long from) {
    int low = 0;
    int high = starts.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (starts[middle] < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private static long seconds(String date, String time) {
    return LocalDate.parse(date).toEpochSecond(LocalTime.parse(time), ZoneOffset.UTC);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
