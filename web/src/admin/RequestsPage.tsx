import { Anchor, Button, Card, NativeSelect, Table, Text, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { counted } from "../components/format";
import { AdminPage } from "./AdminPage";
import { closeRequest, requestsQuery } from "./api";
import { ChoiceFilter } from "./ChoiceFilter";
import { Confirm } from "./Dialog";
import filterClasses from "./Filters.module.css";
import { Listed, NothingHere } from "./Listed";
import { PageNumbers } from "./PageNumbers";
import { Rows } from "./Rows";
import { State } from "./State";
import { tell } from "./tell";
import type { ServiceRequest } from "./types";
import { among, useFilters } from "./useFilters";
import { When } from "./When";

const PER_PAGE = 25;
const KINDS: Record<ServiceRequest["kind"], string> = {
  block_card: "Block a card",
  person: "Talk to a person",
  complaint: "Complaint",
};
const STATES = { open: "Open", done: "Done", all: "Open and done" };

/** What customers of the bank have asked its people to do. */
export function RequestsPage() {
  const filters = useFilters(["state", "kind"]);
  const state = among(filters.of("state"), STATES) || "open";
  const kind = among(filters.of("kind"), KINDS);
  const [closing, setClosing] = useState<ServiceRequest | null>(null);
  const requests = useQuery(
    requestsQuery({ ...(state !== "all" && { state }), ...(kind && { kind }) }, filters.page, PER_PAGE),
  );
  return (
    <AdminPage title="Requests" lead="What customers of the bank have asked its people to do.">
      <search className={filterClasses.filters} aria-label="Which requests">
        <NativeSelect
          label="State"
          value={state}
          onChange={(event) =>
            filters.choose({ state: event.currentTarget.value === "open" ? "" : event.currentTarget.value })
          }
          data={Object.entries(STATES).map(([value, label]) => ({ value, label }))}
        />
        <ChoiceFilter filters={filters} name="kind" label="Kind" choices={KINDS} />
        <Text fz="sm" c="dimmed" role="status" pb={10} className="figures">
          {requests.data && counted(requests.data.pagination.total, "request")}
        </Text>
      </search>
      <Card withBorder radius="lg" padding={0}>
        <Listed query={requests} what="the requests">
          {({ data, pagination }) =>
            data.length === 0 ? (
              <NothingHere title={state === "open" && !kind ? "Nothing is waiting" : "No request fits"}>
                {state === "open" && !kind
                  ? "When a customer asks an assistant for a person, or to block a card, it appears here."
                  : "Choose another state or kind."}
              </NothingHere>
            ) : (
              <>
                <Rows label="Requests">
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>What</Table.Th>
                      <Table.Th visibleFrom="sm">Customer</Table.Th>
                      <Table.Th visibleFrom="sm">Asked</Table.Th>
                      <Table.Th visibleFrom="sm">State</Table.Th>
                      <Table.Th>
                        <VisuallyHidden>Actions</VisuallyHidden>
                      </Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {data.map((request) => (
                      <RequestRow key={request.id} request={request} close={() => setClosing(request)} />
                    ))}
                  </Table.Tbody>
                </Rows>
                <PageNumbers total={pagination.pages} filters={filters} />
              </>
            )
          }
        </Listed>
      </Card>
      <CloseDialog request={closing} close={() => setClosing(null)} />
    </AdminPage>
  );
}

const kindOf = ({ kind }: ServiceRequest) => KINDS[kind];

function RequestRow({ request, close }: { request: ServiceRequest; close: () => void }) {
  const { note, customer_name, call_id, state, created_at } = request;
  return (
    <Table.Tr>
      <Table.Td>
        {kindOf(request)}
        <Text component="span" display="block" fz="sm" hiddenFrom="sm">
          {customer_name}, <When at={created_at} />
        </Text>
        {note && (
          <Text component="span" display="block" fz="sm" c="dimmed">
            {note}
          </Text>
        )}
        {call_id && (
          <Anchor
            component={Link}
            to={`/admin/calls/${encodeURIComponent(call_id)}`}
            fz="sm"
            display="inline-block"
            py={4}
          >
            The call it was asked in
          </Anchor>
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm">{customer_name}</Table.Td>
      <Table.Td visibleFrom="sm">
        <When at={created_at} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <State tone={state === "open" ? "fair" : "good"}>{state === "open" ? "Open" : "Done"}</State>
      </Table.Td>
      <Table.Td data-right>
        {state === "open" && (
          <Button
            variant="default"
            size="sm"
            h={40}
            onClick={close}
            aria-label={`Done: ${kindOf(request)} for ${customer_name}`}
          >
            Done
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function CloseDialog({ request, close }: { request: ServiceRequest | null; close: () => void }) {
  const queryClient = useQueryClient();
  const closing = useMutation({
    mutationFn: (id: string) => closeRequest(id),
    onSuccess: async () => {
      close();
      tell("The request is marked as done.");
      await queryClient.invalidateQueries({ queryKey: ["admin", "requests"] });
    },
  });
  function leave() {
    closing.reset();
    close();
  }
  return (
    <Confirm
      opened={request !== null}
      title="Is this done?"
      act="Mark as done"
      keep="Not yet"
      harmless
      busy={closing.isPending}
      error={closing.error}
      confirm={() => request && closing.mutate(request.id)}
      close={leave}
    >
      {request && (
        <Text>
          {kindOf(request)} for {request.customer_name}. It leaves the list of what is open and cannot be opened again.
        </Text>
      )}
    </Confirm>
  );
}
