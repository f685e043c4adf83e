# Marquee in a container: not root, read-only root file system, its store on a volume.
#
#   docker build -t marquee .
#   docker run --read-only --tmpfs /tmp -v marquee:/data -p 8080:8080 -p 127.0.0.1:9090:9090 marquee
#
# With Prometheus and Grafana: deploy/compose. In Kubernetes: deploy/kubernetes.
#
# The stages fetch Deno from npm, as the README's commands do, so that one version is named in one way.
FROM node:22-bookworm-slim AS build
WORKDIR /app
RUN npm install --global deno@2.9.6
COPY deno.json deno.lock ./
COPY std std
ENV DENO_DIR=/deno-dir
RUN deno install --frozen
COPY . .
# What the programs import, type-checked and in the cache, so that the container starts without a network.
RUN deno check main.ts catalogue_worker.ts feed_worker.ts listener_worker.ts limits/main.ts \
  && deno cache --frozen main.ts catalogue_worker.ts feed_worker.ts listener_worker.ts limits/main.ts \
  && cp "$(find "$(npm root --global)" -path '*@deno/linux-*' -name deno -type f | head -n 1)" /usr/local/bin/deno-runtime

FROM debian:bookworm-slim
# liburing: the native listener binds to it where the container's seccomp profile allows io_uring.
# nftables: the limiter refuses connections by it, where it has NET_ADMIN (deploy/README.md).
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates liburing2 nftables \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --system --gid 10001 marquee \
  && useradd --system --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin marquee \
  && install -d -o marquee -g marquee /data
COPY --from=build /usr/local/bin/deno-runtime /usr/local/bin/deno
COPY --from=build --chown=root:root /deno-dir /deno-dir
COPY --from=build --chown=root:root /app /app
WORKDIR /app
# By number: with runAsNonRoot Kubernetes refuses a user that it knows by name only.
USER 10001:10001
ENV DENO_DIR=/deno-dir \
  DENO_NO_UPDATE_CHECK=1 \
  KV_PATH=/data/marquee.kv \
  ADMIN_HOST=0.0.0.0 \
  LIMITER_METRICS_HOST=0.0.0.0 \
  LOG_FORMAT=json
VOLUME /data
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# On the admin port: a full service refuses connections to the public one, and that is no illness. /ready would be one to
# whatever restarts containers that are unhealthy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["deno", "eval", "--no-config", "--no-lock", "const r = await fetch(`http://127.0.0.1:${Deno.env.get('ADMIN_PORT') ?? 9090}/health`); Deno.exit(r.ok ? 0 : 1)"]
# nft is all that it may run, for SHED=kernel. To this user the kernel gives no rules, and the service then sheds as with
# SHED=app and says so; it would take --user 0:0 --cap-drop ALL --cap-add NET_ADMIN. Better let the limiter have those.
ENTRYPOINT ["deno", "run", "--cached-only", "--frozen", "--v8-flags=--max-semi-space-size=8", "--no-prompt", \
  "--allow-net", "--allow-env", "--allow-read=/app,/data", "--allow-write=/data", "--allow-sys", \
  "--allow-run=nft,/usr/sbin/nft", "--allow-ffi", "main.ts"]
