import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpHeadersFactory;
import io.netty.handler.codec.http.EmptyHttpHeaders;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.util.AsciiString;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.concurrent.TimeUnit;

/**
 * Netty on io_uring answers with a constant of so many bytes, or searches: by Jackson, or by fragments rendered at the
 * start. One event loop accepts and serves. Prints its port.
 * java NettyServer constant BYTES | json FILE | fragments FILE
 */
final class NettyServer {
  /** What a request is answered with. */
  interface Route {
    ByteBuf answer(String uri, ByteBufAllocator allocator) throws IOException;
  }

  public static void main(String[] args) throws Exception {
    Route route = route(args[0], args[1]);
    var group = new MultiThreadIoEventLoopGroup(1, IoUringIoHandler.newFactory());
    var date = new AsciiString[] {now()};
    group.scheduleAtFixedRate(() -> date[0] = now(), 1, 1, TimeUnit.SECONDS);
    // Requests are well-formed and answers our own: checking their fields again is left out, as the codec allows.
    var fields = DefaultHttpHeadersFactory.headersFactory().withValidation(false);
    var decoder = new HttpDecoderConfig().setHeadersFactory(fields).setTrailersFactory(fields);
    var channel = new ServerBootstrap().group(group)
        .channel(IoUringServerSocketChannel.class)
        .option(ChannelOption.SO_BACKLOG, 4096)
        .childHandler(new ChannelInitializer<SocketChannel>() {
          @Override
          protected void initChannel(SocketChannel channel) {
            channel.pipeline().addLast(new HttpServerCodec(decoder), new Handler(route, date));
          }
        })
        .bind("127.0.0.1", 0).sync().channel();
    System.out.printf("{\"port\":%d}%n", ((InetSocketAddress) channel.localAddress()).getPort());
    channel.closeFuture().sync();
  }

  private static Route route(String way, String argument) throws IOException {
    if (way.equals("constant")) {
      ByteBuf body = Unpooled.directBuffer();
      for (int left = Integer.parseInt(argument); left > 0; left--) body.writeByte('x');
      ByteBuf constant = Unpooled.unreleasableBuffer(body.asReadOnly());
      return (uri, allocator) -> constant.duplicate();
    }
    var index = new RangeIndex(new File(argument));
    boolean isJson = way.equals("json");
    return (uri, allocator) -> {
      var query = new QueryStringDecoder(uri).parameters();
      long from = seconds(query.get("starts_at").get(0));
      long until = seconds(query.get("ends_at").get(0));
      return isJson ? Unpooled.wrappedBuffer(index.json(from, until)) : index.fragments(from, until, allocator);
    };
  }

  /** What Instant.parse would give of YYYY-MM-DDTHH:MM:SSZ, for which that takes a tenth of an answer's time. */
  private static long seconds(String date) {
    return LocalDateTime.of(number(date, 0, 4), number(date, 5, 7), number(date, 8, 10),
        number(date, 11, 13), number(date, 14, 16), number(date, 17, 19)).toEpochSecond(ZoneOffset.UTC);
  }

  private static int number(String text, int begin, int end) {
    return Integer.parseInt(text, begin, end, 10);
  }

  private static AsciiString now() {
    return AsciiString.cached(DateTimeFormatter.RFC_1123_DATE_TIME.format(ZonedDateTime.now(ZoneOffset.UTC)));
  }

  /** Answers are written as they are made and flushed together when no more requests are at hand. */
  private static final class Handler extends SimpleChannelInboundHandler<Object> {
    private final Route route;
    private final AsciiString[] date;

    Handler(Route route, AsciiString[] date) {
      this.route = route;
      this.date = date;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, Object message) throws IOException {
      if (!(message instanceof HttpRequest request)) return;
      ByteBuf body = route.answer(request.uri(), context.alloc());
      var headers = DefaultHttpHeadersFactory.headersFactory().withValidation(false).newHeaders();
      headers.set(HttpHeaderNames.CONTENT_TYPE, HttpHeaderValues.APPLICATION_JSON)
          .set(HttpHeaderNames.CONTENT_LENGTH, AsciiString.of(Integer.toString(body.readableBytes())))
          .set(HttpHeaderNames.DATE, date[0]);
      boolean isLast = !HttpUtil.isKeepAlive(request);
      if (isLast) headers.set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
      var written = context.write(
          new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, body, headers,
              EmptyHttpHeaders.INSTANCE),
          isLast ? context.newPromise() : context.voidPromise());
      if (isLast) written.addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.flush();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
